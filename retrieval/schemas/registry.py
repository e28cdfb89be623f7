"""JSON objects and columns of what the registry holds: turtles, photos, encounters, events, kept queries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from index.exchange import COARSE_DEGREES
from index.registry import CatalogSummary, Change, Encounter, Event, EventSubject, KeptQuery, PhotoRecord, Turtle
from index.times import local
from index.types import Recipe
from retrieval.schemas.plain_names import encoder_name, extractor_name, matcher_name

if TYPE_CHECKING:
    from index.exchange import Difference, JoinReport
    from retrieval.review import SameId


FITTED = "novelty"
"""Kind under which the registry keeps what `turtleidx fit` found out."""


def summary_rows(path: str, recipe: Recipe, summary: CatalogSummary) -> list[tuple[str, str]]:
    """What `info` tells, as pairs of name and value."""
    sides = ", ".join(
        f"{count} {name}"
        for name, count in (
            ("left", summary.left),
            ("right", summary.right),
            ("top", summary.top),
            ("front", summary.front),
            ("of no stated side", summary.unsided),
        )
        if count
    )
    stored = summary.registry_bytes + summary.features_bytes + summary.vectors_bytes
    rows = [
        ("catalogue", path),
        ("photos", f"{summary.photos} ({sides})" if sides else str(summary.photos)),
        ("turtles", str(summary.turtles)),
        ("encounters", f"{summary.encounters}, {summary.unidentified} of them unidentified"),
        ("made with", f"{extractor_name(recipe.extractor)}; {encoder_name(recipe.encoder)} find similar photos"),
        (
            "on disk",
            f"{_size(stored)}: registry {_size(summary.registry_bytes)}, features {_size(summary.features_bytes)}, "
            f"vectors {_size(summary.vectors_bytes)}",
        ),
    ]
    if summary.waiting:
        rows.append(("head not found", f"{summary.waiting} photos: `turtleidx photos list --no-head`"))
    if summary.vectors_recall is not None:
        rows.append(("shortlists", f"find {summary.vectors_recall:.1%} of what an exact search finds"))
    rows += [
        ("known or new", f"fitted {local(model.made_at)} for {matcher_name(model.recipe)}")
        for model in summary.models
        if model.kind == FITTED
    ] or [("known or new", "nothing is fitted yet: `turtleidx fit`")]
    return rows + [("health", sentence) for sentence in summary.health or ("all well",)]


def summary_record(path: str, recipe: Recipe, summary: CatalogSummary) -> dict[str, object]:
    """What `info` tells, as a JSON object."""
    models = [
        {"kind": model.kind, "recipe": model.recipe, "made_at": model.made_at.isoformat()} for model in summary.models
    ]
    return {"catalogue": path, **asdict(recipe), **asdict(summary), "models": models}


def _size(amount: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record: all its columns, for JSON and CSV, and those that a table has room for."""

    columns: tuple[str, ...]
    shown: tuple[str, ...]


TURTLES = Kind(
    (
        *("turtle", "status", "species", "note", "tags", "photos", "encounters", "sides", "first_seen", "last_seen"),
        "merged_into",
    ),
    ("turtle", "photos", "encounters", "sides", "first_seen", "last_seen", "status", "species", "tags"),
)
PHOTOS = Kind(
    (
        *("number", "photo", "sha256", "turtle", "encounter", "encounter_name", "side", "taken_on", "species", "site"),
        *(
            "observer",
            "latitude",
            "longitude",
            "box",
            "keypoints",
            "quality",
            "size",
            "removed",
            "notes",
            "taken_at",
            "reader",
            "box_origin",
            "box_confidence",
        ),
    ),
    ("number", "turtle", "encounter", "side", "taken_on", "quality", "photo"),
)
ENCOUNTERS = Kind(*(("encounter", "name", "turtle", "day", "photos", "sides"),) * 2)
EVENTS = Kind(
    ("id", "at", "who", "action", "command", "why", "undoes", "subject", "turtles", "photos"),
    ("id", "at", "who", "action", "subject", "why"),
)
QUERIES = Kind(
    (
        *("query", "photo", "sha256", "verdict", "asked_at", "answer", "turtle", "who", "why", "decided_at"),
        *("evidence", "side", "first", "first_probability", "p_new"),
    ),
    ("query", "verdict", "side", "first", "first_probability", "p_new", "answer", "turtle", "photo"),
)
DIFFERENCES = Kind(*(("record", "key", "column", "ours", "theirs"),) * 2)


def turtle_record(turtle: Turtle) -> dict[str, object]:
    """A turtle as a JSON object."""
    values = (
        *(turtle.id, str(turtle.status), turtle.species, turtle.note, list(turtle.tags), turtle.photos),
        *(turtle.encounters, sorted(turtle.sides), _day(turtle.first_seen), _day(turtle.last_seen), turtle.merged_into),
    )
    return dict(zip(TURTLES.columns, values, strict=True))


def photo_record(photo: PhotoRecord, exact_locations: bool = False) -> dict[str, object]:
    """A photo as a JSON object; coordinates are rounded to 0.1 degree unless they shall be exact."""
    places = [
        place if exact_locations or place is None else round(place, COARSE_DEGREES)
        for place in (photo.latitude, photo.longitude)
    ]
    box = None if photo.box is None else [photo.box.x, photo.box.y, photo.box.w, photo.box.h]
    values = (
        *(photo.id, photo.path, photo.sha256, photo.turtle, photo.encounter, photo.encounter_name, photo.side),
        *(_day(photo.taken_on), photo.species, photo.site, photo.observer, *places, box, photo.keypoints),
        *(round(photo.quality, 3), list(photo.size), photo.removed, dict(photo.notes), photo.taken_at, photo.reader),
        *(None if photo.box_origin is None else str(photo.box_origin), photo.box_confidence),
    )
    return dict(zip(PHOTOS.columns, values, strict=True))


def encounter_record(encounter: Encounter) -> dict[str, object]:
    """An encounter as a JSON object."""
    values = (
        *(encounter.id, encounter.name, encounter.turtle, _day(encounter.day), encounter.photos),
        sorted(encounter.sides),
    )
    return dict(zip(ENCOUNTERS.columns, values, strict=True))


def event_record(event: Event, subject: EventSubject) -> dict[str, object]:
    """An event as a JSON object; the time is UTC."""
    values = (
        *(event.id, event.at.isoformat(), event.who, event.action, event.command, event.why, event.undoes),
        *(subject.sentence, list(subject.turtles), list(subject.photos)),
    )
    return dict(zip(EVENTS.columns, values, strict=True))


def query_record(query: KeptQuery) -> dict[str, object]:
    """A kept query with its newest decision as a JSON object; coordinates are rounded to 0.1 degree."""
    decided = query.decision
    answered: tuple[object, ...] = (None,) * 5
    if decided is not None:
        at = decided.made_at.isoformat()
        answered = (str(decided.answer), decided.turtle, decided.who, decided.why, at)
    asked_at = query.made_at.isoformat()
    evidence = _coarse(json.loads(query.evidence))
    best: dict[str, object] = next(iter(evidence.get("candidates", ())), {})
    values = (
        *(query.id, query.path, query.sha256, query.verdict, asked_at, *answered, evidence),
        *(evidence.get("side"), best.get("turtle"), best.get("probability"), evidence.get("p_new")),
    )
    return dict(zip(QUERIES.columns, values, strict=True))


def _coarse(evidence: dict[str, Any]) -> dict[str, Any]:
    known = evidence.get("known", {})
    known |= {name: round(known[name], COARSE_DEGREES) for name in ("latitude", "longitude") if known.get(name)}
    return evidence


def difference_record(difference: Difference) -> dict[str, object]:
    """A difference of two catalogues as a JSON object."""
    return {name: getattr(difference, name) for name in DIFFERENCES.columns}


def join_record(report: JoinReport, likenesses: Mapping[str, SameId]) -> dict[str, object]:
    """What joining did as a JSON object; `likenesses` tells of ids in conflict whose photos were compared."""
    conflicts = []
    for one in report.conflicts:
        found = likenesses.get(one.turtle)
        conflicts.append(
            asdict(one)
            | {
                "probability": found and found.probability,
                "matches": found and found.matches,
                "photos": [photo.path for photo in found.photos] if found and found.photos else [],
            }
        )
    return {
        "event": report.event,
        "added": report.added,
        "there": report.there,
        "turtles": report.turtles,
        "differences": [difference_record(one) for one in report.differences],
        "conflicts": conflicts,
        "shared": [asdict(one) for one in report.shared],
        "renamed": dict(report.renamed),
    }


def change_record(change: Change, names: Mapping[int, str]) -> dict[str, object]:
    """A changed row as a JSON object: only the columns that differ, each with its value before and after.

    Coordinates in the evidence of kept queries are rounded as `query_record` does.

    Parameters
    ----------
    names : mapping
        Ids of turtles by the numbers that stand in the columns.
    """
    before, after = change_contents(change)
    differing = {name: [before[name], after[name]] for name in after if name in before and before[name] != after[name]}
    if change.record == "queries" and "evidence" in differing:
        differing["evidence"] = [json.dumps(_coarse(json.loads(str(one)))) for one in differing["evidence"]]
    what = "changed" if after else "gone" if before else "new"
    record = {"record": change.record, "key": change.key, "name": change_name(change), "what": what}
    turtles = [names.get(int(str(one))) if one is not None else None for one in differing.get("turtle", ())]
    return record | {"columns": differing} | ({"turtles": turtles} if turtles else {})


def change_contents(change: Change) -> tuple[dict[str, object], dict[str, object]]:
    return json.loads(change.before or "{}"), json.loads(change.after or "{}")


def change_name(change: Change) -> str:
    before, after = change_contents(change)
    if change.record == "turtles":
        known = before.get("id") or after.get("id")
        return f"turtle {known}" if known else "a turtle"
    singular = {"photos": "photo", "encounters": "encounter", "queries": "query", "decisions": "decision"}
    return f"{singular.get(change.record, change.record)} {change.key}"


def cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _day(day: object) -> str | None:
    return None if day is None else str(day)
