"""How a catalogue's folder is reached: made, held by one writer, half-synced, or as an earlier version left it."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
