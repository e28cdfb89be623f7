"""Where two catalogues differ about a photo or a turtle that both know; shown, never settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.exchange.table_export import COLUMNS, cells_of
from index.registry import PhotoRecord, Turtle

COMPARED = tuple(name for name in COLUMNS if name not in ("photo", "sha256"))


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the two catalogues say differently about one photo or turtle."""

    record: str
    key: str
    column: str
    ours: str
    theirs: str


def photo_differences(ours: dict[str, PhotoRecord], theirs: dict[str, PhotoRecord]) -> list[Difference]:
    """What is said differently about photos that are in both, by what they are known by."""
    found = []
    for digest in sorted(ours.keys() & theirs.keys()):
        mine, other = cells_of(ours[digest], exact=True), cells_of(theirs[digest], exact=True)
        found += [
            Difference("photo", ours[digest].path, name, mine[name], other[name])
            for name in COMPARED
            if mine[name] != other[name]
        ]
    return found


def removal_differences(
    ours: dict[str, PhotoRecord], theirs: dict[str, PhotoRecord], said: tuple[str, str]
) -> list[Difference]:
    """Photos of which one catalogue has what the other removed; `said` is what stands here and there."""
    both = sorted(ours.keys() & theirs.keys())
    return [Difference("photo", ours[digest].path, "removed", *said) for digest in both]


def turtle_differences(here: Mapping[str, Turtle], heard: Sequence[Turtle], new: Sequence[Turtle]) -> list[Difference]:
    """Where the catalogues differ about turtles that both know, and what is known of those that do not come along."""
    coming = {turtle.id for turtle in new}
    found = []
    for turtle in heard:
        if turtle.id in coming:
            continue
        mine, other = _told(here.get(turtle.id)), _told(turtle)
        found += [
            Difference("turtle", turtle.id, column, mine[column], other[column])
            for column in other
            if mine[column] != other[column]
        ]
    return found


def _told(turtle: Turtle | None) -> dict[str, str]:
    """What people said about a turtle, as text."""
    if turtle is None:
        return dict.fromkeys(("status", "merged_into", "species", "note", "tags"), "")
    return {
        "status": str(turtle.status),
        "merged_into": turtle.merged_into or "",
        "species": turtle.species or "",
        "note": turtle.note or "",
        "tags": ", ".join(sorted(turtle.tags)),
    }
