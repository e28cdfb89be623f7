"""What turtleidx remembers: a catalogue of turtles, encounters and photos, its features and its search index."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
