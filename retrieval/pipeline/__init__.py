"""The way of a photograph: enrolment, identification, encounters, kept queries, drift, reading again."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
