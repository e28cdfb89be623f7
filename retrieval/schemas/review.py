"""JSON objects of the review: groups of encounters, findings of an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.schemas.answers import candidate_records, other_side_record

if TYPE_CHECKING:
    from retrieval.review import Finding, Group, Link


TOP = 5
"""Candidates that are shown of a group."""


def group_record(group: Group) -> dict[str, object]:
    """A group of unidentified encounters as a JSON object."""
    return {
        "group": group.encounters[0],
        "encounters": list(group.encounters),
        "photos": [photo.path for photo in group.photos],
        "verdict": str(group.verdict),
        "turtle": group.turtle,
        "p_new": group.p_new,
        "reason": group.reason,
        "candidates": candidate_records(group.candidates[:TOP]),
        "links": [_link_record(link) for link in group.links],
        "other_side": None if group.other_side is None else other_side_record(group.other_side),
        "next": next_for_group(group),
    }


def next_for_group(group: Group) -> str:
    """What a person can do about a group, as one line that names the command."""
    encounters = " ".join(map(str, group.encounters))
    other = group.other_side
    if other is not None and other.asked is not None:
        return (
            f"look at {other.turtle}'s photos; if the side is wrong, `turtleidx photos side {other.asked.id} --is "
            f"{other.side}`, then `turtleidx identify {encounters}` again"
        )
    if str(group.verdict) == "KNOWN":
        return f"`turtleidx identify {encounters} --is {group.turtle}` says so"
    if str(group.verdict) == "NEW":
        return f"`turtleidx identify {encounters} --new` gives it the next free id"
    first = group.candidates[0].turtle if group.candidates else None
    look = f"compare it with {first} in the picture" if first else "look for it by eye"
    catalogued = next((one.turtle for one in group.candidates if one.photo.turtle is not None), "ID")
    settled = "--new" if (group.p_new or 0.0) > 0.5 else f"--is {catalogued}"
    return (
        f"{look}: `turtleidx identify {encounters} --dry-run --plot FOLDER` draws the matches, and `turtleidx identify "
        f"{encounters} {settled}` (or --is another id, or --new) decides"
    )


def _link_record(link: Link) -> dict[str, object]:
    return {
        "encounters": [link.first, link.second],
        "score": link.score,
        "probability": link.probability,
        "chance": link.chance,
        "matches": link.matches,
        "photos": [photo.path for photo in link.photos],
    }


def finding_record(found: Finding) -> dict[str, object]:
    """Suspected ids as a JSON object."""
    return {
        "kind": str(found.kind),
        "turtles": list(found.turtles),
        "probability": found.probability,
        "chance": found.chance,
        "score": found.score,
        "matches": found.matches,
        "photos": [photo.path for photo in found.photos],
        "encounters": [list(part) for part in found.encounters],
        "look_at": found.look_at,
        "numbers": [photo.id for photo in found.photos],
        "moved": [photo.id for photo in found.moved],
        "days": [str(day) for day in found.days],
        "repair": repair(found),
    }


def repair(found: Finding) -> str:
    """The command, without the program's name, that mends suspected ids where the suspicion is right."""
    numbers = " ".join(str(photo.id) for photo in found.moved)
    if str(found.kind) == "mixed":
        return f"turtles split {found.turtles[0]} {numbers} --as new"
    if str(found.kind) == "misfiled":
        return f"photos move {numbers} --to {found.to or 'new'}"
    return f"turtles merge {' '.join(found.turtles)}"
