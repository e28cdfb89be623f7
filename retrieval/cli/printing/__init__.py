"""How records look on a terminal, as JSON lines and as CSV; door to rich."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
