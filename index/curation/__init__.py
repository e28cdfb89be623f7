"""Changes that people make: turtles, photos, encounters, decisions on kept queries, dismissed findings."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
