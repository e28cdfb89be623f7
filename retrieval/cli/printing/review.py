"""How groups of encounters and suspected ids look on a terminal and as JSON; shares the door to rich with
`retrieval.cli.printing.terminal`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from retrieval.cli.printing.answers import COLOURS
from retrieval.cli.printing.terminal import out
from retrieval.schemas import TOP

if TYPE_CHECKING:
    from retrieval.review import Finding, Group


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


def print_finding(found: Finding) -> None:
    """What may be wrong, the evidence, and what to type when it is, or is not."""
    two = len(found.turtles) > 1
    headline = Text(f"{' and '.join(found.turtles)}: ", style="bold")
    headline.append("one turtle?" if two else "two turtles?", style="bold yellow")
    if found.probability is not None and found.chance is not None:
        alike = "different turtles match as well" if two else "photos of one turtle match as badly"
        headline.append(f"  P = {found.probability:.2f}; {alike} in {found.chance:.2g} of such cases", style="not bold")
    out.print(headline)
    for part in found.encounters:
        out.print(Text(f"  encounters {', '.join(map(str, part))}"))
    best = " with ".join(photo.path for photo in found.photos)
    out.print(Text(f"  best pair: score {found.score:.4f}, {found.matches} matches, {best}"))
    names = " ".join(found.turtles)
    mend = f"turtles merge {names}" if two else f"turtles split {names} PHOTO... --as NEW_ID"
    keep = " ".join(f"--dismiss {name}" for name in found.turtles)
    out.print(Text(f"  `turtleidx {mend}`, or `turtleidx audit {keep}`"))
