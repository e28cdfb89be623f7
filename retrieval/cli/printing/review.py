"""How groups of encounters and suspected ids look on a terminal and as JSON; shares the door to rich with
`retrieval.cli.printing.terminal`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from index.types import Photo
from retrieval.cli.printing.answers import COLOURS
from retrieval.cli.printing.terminal import out, say
from retrieval.review import Kind
from retrieval.schemas import TOP, next_for_group, repair

if TYPE_CHECKING:
    from retrieval.review import Audit, Finding, Group


def print_group(group: Group) -> None:
    """Encounters, verdict and reason of a group, its links and best candidates."""
    several = "s" if len(group.encounters) > 1 else ""
    headline = Text(f"encounter{several} {', '.join(map(str, group.encounters))}: ")
    headline.append(str(group.verdict), style=f"bold {COLOURS.get(group.verdict, 'red')}")
    if group.turtle:
        headline.append(f" {group.turtle}", style="bold")
    if group.p_new is not None:
        headline.append(f"  P(new) = {group.p_new:.2f}")
    out.print(headline)
    out.print(Text(f"  {group.reason}"))
    for link in group.links:
        out.print(Text(f"  {link.first} and {link.second} match: P = {link.probability:.2f}, {link.matches} keypoints"))
    for photo in group.photos:
        out.print(Text(f"    {photo.path}"))
    for one in group.candidates[:TOP]:
        chance = "" if one.probability is None else f", P = {one.probability:.2f}"
        out.print(Text(f"  {one.turtle}: score {one.score:.4f}{chance}, {one.matches} matches with {one.photo.path}"))
    out.print(Text(f"  next: {next_for_group(group)}"))


def print_finding(found: Finding) -> None:
    """What may be wrong, the evidence, and what to type when it is, or is not."""
    headline = Text(f"{_suspicion(found)}", style="bold")
    if found.probability is not None:
        headline.append(f"  P = {found.probability:.2f}", style="not bold")
    out.print(headline)
    for line in _evidence(found):
        out.print(Text(f"  {line}"))
    keep = " ".join(f"--dismiss {name}" for name in found.turtles)
    out.print(Text(f"  next: `turtleidx {repair(found)}`; if all is well, `turtleidx audit {keep}`"))


def _suspicion(found: Finding) -> str:
    first, *rest = found.turtles
    if found.kind is Kind.MIXED:
        return f"{first}: two turtles?"
    if found.kind is Kind.MISFILED:
        encounters = ", ".join(map(str, found.encounters[0]))
        if found.to is None:
            return f"encounters {encounters} of {first} and {rest[0]}: another turtle?"
        return f"{first}: encounter{'s' if len(found.encounters[0]) > 1 else ''} {encounters} of {rest[0]}?"
    return f"{first} and {rest[0]}: one turtle?"


def _evidence(found: Finding) -> Iterator[str]:
    if found.kind is Kind.SAME_DAYS:
        yield f"one is known by its left side, one by its right; both were seen on {', '.join(map(str, found.days))}"
        return
    for part in found.encounters:
        yield f"encounter{'s' if len(part) > 1 else ''} {', '.join(map(str, part))}"
    if found.moved:
        yield f"photos {', '.join(_shown(photo) for photo in found.moved)}"
    first, second = found.photos
    least = "at best " if found.kind is Kind.MIXED else ""
    yield f"{least}{found.matches} matches: photo {_shown(first)} with photo {_shown(second)}"
    yield f"{first.path} with {second.path}"


def _shown(photo: Photo) -> str:
    known = [str(one) for one in (photo.taken_on, photo.side) if one is not None]
    return f"{photo.id} ({', '.join(known)})" if known else str(photo.id)


def print_audit(found: Audit, shown: Sequence[Finding], doubted: int) -> None:
    """What an audit looked at, on standard error.

    Parameters
    ----------
    doubted : int
        Findings that are probable enough to be shown.
    """
    if found.missing:
        say(f"There are no probabilities, only an order: {found.missing}")
    rest = "" if found.complete else "; the budget is used up, the next audit goes on"
    weak = len(found.findings) - doubted
    weaker = f", {weak} less probable (--least 0 shows them)" if weak else ""
    say(
        f"{doubted} findings{weaker}, {len(shown)} shown, from {found.pairs} pairs of "
        f"{found.turtles} turtles ({found.compared} compared now{rest})."
    )
