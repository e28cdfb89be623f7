"""The index of visual words that vote: codebook, signatures and inverted file in FAISS."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
