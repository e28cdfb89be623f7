"""What a person can do after an answer, as one line that names the command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from index.catalog import Browser, Catalog, Page
from index.naming import NEXT_FREE
from index.types import BoxOrigin
from retrieval.novelty import MODEL, Verdict
from retrieval.pipeline.results import EncounterAnswer, Identification


def next_step(found: Identification) -> str | None:
    """For one photo; None where there is nothing to do."""
    photo = _typed([found.photo])
    if found.other_side is not None:
        other = found.other_side
        if _has_given_box(found):
            return f"look at {other.turtle}'s photos; if the side is wrong, correct it in the manifest and ask again"
        return (
            f"look at {other.turtle}'s photos; if the side is wrong, `turtleidx query {photo} --side {other.side}"
            f"{_finding([found])} --confirm {other.turtle}`"
        )
    side = f" --side {found.query.side}" if found.query.side else ""
    typed = None if _has_given_box(found) else f"{photo}{side}{_finding([found])}"
    return _step(found.verdict, found.turtle, typed, [one.turtle for one in found.candidates], found.p_new)


def next_for_catalog(catalog: Catalog) -> str:
    """What a catalogue is ready for: learning, saying who was in an import, or answering about new photos."""
    nameless = bool(Browser(catalog).encounters(unidentified=True, page=Page(1, 0)))
    import_named = "`turtleidx identify --plot FOLDER` says who is in the encounters without a turtle, and draws them"
    if catalog.model(MODEL) is None:
        then = f"; then {import_named}" if nameless else ""
        return f"`turtleidx fit` learns from the catalogue how sure an answer can be{then}"
    if nameless:
        return import_named
    return (
        "`turtleidx query PHOTO` asks who a new photo shows; `turtleidx enroll FOLDER --not-by-folder` takes in a "
        "whole season without names"
    )


def next_for_encounter(found: EncounterAnswer) -> str | None:
    """For several photos of one turtle."""
    if found.two_ids is not None:
        first, second = found.two_ids
        return f"look at both; if they are one turtle, `turtleidx turtles merge {first} {second}`"
    if any(one.other_side is not None for one in found.photos):
        return next((step for step in map(next_step, found.photos) if step), None)
    turtles = [one.turtle for one in found.candidates]
    return _step(found.verdict, found.turtle, _encounter_typed(found), turtles, found.prediction.p_new)


def _encounter_typed(found: EncounterAnswer) -> str | None:
    """Its photos as they are typed; None where that cannot say which heads are meant."""
    if any(map(_has_given_box, found.photos)):
        return None
    sides = [f"--{one.query.side} {_typed([one.photo])}" for one in found.photos if one.query.side in ("left", "right")]
    alone = [one.photo for one in found.photos if one.query.side not in ("left", "right")]
    return " ".join(["--encounter", *sides, *([_typed(alone)] if alone else [])]) + _finding(found.photos)


def _has_given_box(found: Identification) -> bool:
    photo = found.query.prepared
    return photo is not None and photo.sighting.box is not None and photo.sighting.box_origin is not BoxOrigin.FOUND


def _finding(photos: Sequence[Identification]) -> str:
    """What has heads found again that were found, whatever the catalogue remembers."""
    found = [one.query.prepared for one in photos if one.query.prepared is not None]
    return " --heads auto" if any(one.sighting.box_origin is BoxOrigin.FOUND for one in found) else ""


def _step(
    verdict: Verdict, turtle: str | None, typed: str | None, candidates: Sequence[str], p_new: float | None
) -> str | None:
    """What is typed again with the turtle confirmed; a head in a box that a table gave is enrolled by a table."""
    if verdict is Verdict.KNOWN:
        return f"{_enrolling(typed, turtle)} enrolls it"
    new = _enrolling(typed, None)
    if verdict is Verdict.NEW:
        return f"{new} enrolls it{'' if typed is None else ' under the next free id'}"
    if verdict is not Verdict.UNDECIDED:
        return None
    first = candidates[0] if candidates else None
    if first is None or (p_new or 0.0) > 0.5:
        look = f"compare it with {first} in the picture" if first else "look for it by eye"
        return f"{look}; {new} if it is nobody, `--plot match.png` draws the matches"
    return (
        f"compare it with {first} in the picture: `--plot match.png` draws the matches, and "
        f"{_enrolling(typed, first)} (or another id{'' if typed is None else ', or new'}) enrolls it"
    )


def _enrolling(typed: str | None, turtle: str | None) -> str:
    if typed is None:
        return f"`turtleidx enroll --manifest` with {turtle or 'a new id'} in the row's column turtle"
    return f"`turtleidx query {typed} --confirm {turtle or NEXT_FREE}`"


def _typed(paths: Sequence[str]) -> str:
    return " ".join(shlex.quote(str(Path(path))) for path in paths)
