"""Local features of photos and confidences of compared pairs, in LMDB."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
