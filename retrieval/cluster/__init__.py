"""Many machines: queries answered where shards lie, photos read on all nodes, answers served to many. On Ray."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
