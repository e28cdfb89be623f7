"""Photos as files and pixels: paths and manifests in, decoded photos, pictures of matches out."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
