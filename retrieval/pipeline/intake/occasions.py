"""Which undated photos are of one occasion, where whoever brings them says how to tell."""

from __future__ import annotations

import re
from pathlib import Path

from index.types import Sighting
from retrieval.defaults import EncountersBy

GAP = 3
"""Numbers in the names of one burst lie no farther apart."""

_NUMBERED = re.compile(r"(.*?)(\d{1,9})(\D*)")


class Occasions:
    """Names encounters of undated photos, which come in the order of their names."""

    def __init__(self, by: EncountersBy) -> None:
        self._by = by
        self._begun: dict[tuple[str | None, str, str, str], tuple[int, str]] = {}

    def name(self, seen: Sighting) -> str:
        """The encounter of an undated photo: its folder, or with it the first photo of its burst."""
        path = Path(seen.path).absolute()
        folder = "/".join(path.parent.parts[-3:]).strip("/")
        if self._by is EncountersBy.FOLDER:
            return folder
        match = _NUMBERED.fullmatch(path.stem)
        if match is None:
            return f"{folder}/{path.stem}"
        series, number = (seen.turtle, folder, match[1], match[3]), int(match[2])
        last, name = self._begun.get(series, (number - GAP - 1, ""))
        if not 0 <= number - last <= GAP:
            name = f"{folder}/{path.stem}"
        self._begun[series] = number, name
        return name
