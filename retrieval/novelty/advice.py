"""What an undecided answer tells a person: which way it leans, and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.novelty.decision import Decision, Verdict
from retrieval.novelty.posterior import Posterior

CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Advice:
    """Both None for an answer that is decided.

    Attributes
    ----------
    lean : str or None
        "probably new", "probably T017" or "cannot tell".
    settle : str or None
        What would settle it, in one sentence.
    """

    lean: str | None
    settle: str | None


NO_ADVICE = Advice(CANNOT_TELL, None)
"""About an undecided answer that rests on no model."""
DECIDED = Advice(None, None)


def advise(decision: Decision, posterior: Posterior, ranked: Sequence[tuple[str, str]], absent: int) -> Advice:
    """Advice about an answer.

    Parameters
    ----------
    ranked : sequence of (str, str)
        The candidates' names and the paths of their best photos, the most probable first.
    absent : int
        Catalogued turtles that have no photo in the searched gallery.
    """
    if decision.verdict is not Verdict.UNDECIDED:
        return DECIDED
    if not ranked:
        return Advice(CANNOT_TELL, _other_side(absent) if absent else None)
    name, photo = ranked[0]
    if decision.towards is Verdict.KNOWN:
        return Advice(f"probably {name}", f"Look at it beside {photo}.")
    if posterior.p_not_compared > posterior.p_new and absent:
        return Advice(CANNOT_TELL, _other_side(absent))
    pictures = " and ".join(path for _, path in ranked[:2])
    if decision.towards is Verdict.NEW:
        more = f" {_other_side(absent)}" if absent else ""
        return Advice("probably new", f"Look at it beside {photo}, or take a sharper photo.{more}")
    return Advice(CANNOT_TELL, f"Look at it beside {pictures}, or take a sharper photo.")


def _other_side(absent: int) -> str:
    return f"A photo of the other side would be compared with {absent} more turtles."
