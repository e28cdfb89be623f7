"""Matchers that look at stored working images, whatever keypoints the catalogue holds: other systems."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
