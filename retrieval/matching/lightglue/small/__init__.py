"""Small LightGlue networks on a CPU, in NumPy: torch's import would take longer than they take for a query."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
