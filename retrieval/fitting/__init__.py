"""What the novelty model is fitted from: trials of the catalogue against itself, with cached confidences."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
