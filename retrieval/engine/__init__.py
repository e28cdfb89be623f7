"""Extractor, encoder, matcher and score of a catalogue's recipe, loaded together."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
