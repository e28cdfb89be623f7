"""What turtleidx computes: photos are enrolled, a model is fitted to the catalogue, and new photos are identified."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
