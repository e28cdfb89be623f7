"""Match confidences to scores: the Wasserstein distance from the confidence null, normalised and ranked by turtle."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
