"""The registry: turtles, encounters, photos, descriptors, events and fitted models in DuckDB, the single truth."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
