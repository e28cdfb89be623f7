"""Tables that people bring, read the same way everywhere: columns, dates, text files and workbooks."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
