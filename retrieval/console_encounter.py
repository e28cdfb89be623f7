"""How the answer about an encounter looks, on a terminal and as JSON; shares the door to rich with `console`."""

from __future__ import annotations

from rich.text import Text

from retrieval.answering import AnsweredEncounter
from retrieval.console import COLOURS, identification_record, out, print_candidates


def print_encounter(one: AnsweredEncounter, top: int) -> None:
    """One verdict, its reason and the best candidates, then what each photo says alone."""
    found = one.found
    headline = Text(f"{found.name or 'encounter'}: ")
    headline.append(str(found.verdict), style=f"bold {COLOURS.get(found.verdict, 'red')}")
    if found.turtle:
        headline.append(f" {found.turtle}", style="bold")
    if found.p_new is not None and found.p_new_low is not None and found.p_new_high is not None:
        headline.append(f"  P(new) = {found.p_new:.2f} ({found.p_new_low:.2f} to {found.p_new_high:.2f})")
    out.print(headline)
    out.print(Text(f"  {found.reason}"))
    if found.candidates:
        print_candidates(found.candidates[:top])
    for photo in found.photos:
        side = f" ({photo.side})" if photo.side else ""
        p_new = "" if photo.p_new is None else f", P(new) {photo.p_new:.2f}"
        first = f", first {photo.candidates[0].turtle}" if photo.candidates else ""
        out.print(Text(f"  alone: {photo.photo}{side}: {photo.verdict}{first}{p_new}"))
    if one.enrolled_as:
        out.print(Text(f"  enrolled as {one.enrolled_as}", style="bold"))


def encounter_record(one: AnsweredEncounter, top: int) -> dict[str, object]:
    """The documented JSON object of one encounter."""
    found = one.found
    return {
        "encounter": found.name,
        "verdict": str(found.verdict),
        "turtle": found.turtle,
        "p_new": found.p_new,
        "p_new_interval": None if found.p_new is None else [found.p_new_low, found.p_new_high],
        "p_not_compared": found.p_not_compared,
        "reason": found.reason,
        "candidates": [
            {
                "turtle": candidate.turtle,
                "score": candidate.score,
                "probability": candidate.probability,
                "matches": candidate.matches,
                "photo": candidate.photo.path,
            }
            for candidate in found.candidates[:top]
        ],
        "not_searched": found.unsearched_turtles,
        "enrolled_as": one.enrolled_as,
        "seconds": round(found.seconds, 3),
        "photos": [
            identification_record(photo, top) | {"side": None if photo.side is None else str(photo.side)}
            for photo in found.photos
        ],
    }
