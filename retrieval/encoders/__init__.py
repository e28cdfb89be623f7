"""Global descriptors of a photo: visual words, VLAD, or a timm network."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
