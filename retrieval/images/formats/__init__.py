"""What the bytes of a photo file hold: containers, decoders, colours, and what cameras wrote beside the pixels."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
