"""What people should look at: groups of unidentified encounters, suspected errors of identity."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
