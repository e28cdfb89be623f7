"""Groups of unidentified encounters that wait for a person: compared, ordered, planted, shown, leased, answered."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
