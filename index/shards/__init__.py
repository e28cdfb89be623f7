"""A catalogue's features and search index in several folders, each of whole turtles, on disks of several machines."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
