"""How much is compared unless the user says otherwise."""

from enum import StrEnum

SHORTLIST = 300
"""Photos that are looked at: looks are cheap, and a small gallery is seen whole."""
PER_TURTLE = 3
FIT_BUDGET = 20_000
"""Pairs that an automatic fit uses at most, cached ones among them: what it learns never depends on the cache."""
THOROUGH_FIT_BUDGET = 10 * FIT_BUDGET
"""Those of `turtleidx fit`."""
FIT_PHOTOS = 2_000
"""Photos from which a fit draws: of a larger catalogue it takes some turtles, and searches the whole for each."""
AUDIT_BUDGET = 20_000
"""Pairs that an audit compares at most; those that are cached cost nothing."""


class Heads(StrEnum):
    """What becomes of a photo for which nobody gave a head box."""

    AUTO = "auto"
    """The head is found; where that is not sure, the photo waits for a person."""
    GIVEN = "given"
    """It waits for a person."""
    WHOLE = "whole"
    """It is a head that was cut out, and is used whole; catalogues that say nothing do so."""


class EncountersBy(StrEnum):
    """How undated photos are told apart into encounters."""

    FOLDER = "folder"
    BURST = "burst"
