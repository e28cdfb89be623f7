"""What is said about a photo, in one word."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What is said about a photo."""

    KNOWN = "KNOWN"
    NEW = "NEW"
    UNDECIDED = "UNDECIDED"
    NOT_COMPARABLE = "NOT_COMPARABLE"
    REFUSED = "REFUSED"
