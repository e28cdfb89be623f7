"""Ids that people write in several ways: 007 and 7, t017 and T017, T-017 and T 017."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from index.catalog import Browser, Catalog


def likeness(name: str) -> str:
    """What stays of an id without case, leading zeros, blanks and dashes; equal for ids that look alike."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-‐-―]+", "", re.sub(r"(?<!\d)0+(?=\d)", "", plain))


class NearIds:
    """The ids of a catalogue, and those that were let in beside them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._alike: dict[str, str] = {}
        for name in names:
            self.add(name)

    @classmethod
    def of(cls, catalog: Catalog | None) -> NearIds:
        """Those of a catalogue, merged and retired ids among them."""
        return cls([] if catalog is None else [turtle.id for turtle in Browser(catalog).turtles()])

    def add(self, name: str) -> None:
        """From now on an id is known."""
        self._names.add(name)
        self._alike.setdefault(likeness(name), name)

    def lookalike(self, name: str) -> str | None:
        """The known id that a new one differs from by no more than its writing; None for a known or a fresh one."""
        return None if name in self._names else self._alike.get(likeness(name))


def difference(name: str, known: str) -> str:
    """By what an id differs from one that looks alike, in words."""
    if name.casefold() == known.casefold():
        return "case"
    if re.sub(r"(?<!\d)0+(?=\d)", "", name) == re.sub(r"(?<!\d)0+(?=\d)", "", known):
        return "leading zeros"
    return "blanks, dashes, zeros or case"
