"""LightGlue (Lindenberger et al., ICCV 2023): network, published and own weights, batched matching with early exit."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
