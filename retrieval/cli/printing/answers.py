"""How enrolments, fits and answers about photos and encounters look on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from index.types import Refusal
from retrieval.cli.printing.terminal import out, print_table, say

if TYPE_CHECKING:
    from retrieval.fitting import FitReport
    from retrieval.novelty import Prediction
    from retrieval.pipeline import Answer, AnsweredEncounter, EnrollReport, Identification
    from retrieval.scoring import Candidate


NAMED = 10
"""Photos that a sentence about many names."""

COLOURS = {"KNOWN": "green", "NEW": "magenta", "UNDECIDED": "yellow"}
"""By verdict; a plain table, because importing verdicts would load what is fitted."""


def print_enrolment(report: EnrollReport) -> None:
    """Counts, speed, the reason for each refused photo, and what should be known about others."""
    for refusal in report.refused:
        say(f"refused: {refusal.reason}")
    for sentence in remark_sentences(report.remarks):
        say(sentence)
    total = len(report.enrolled) + len(report.already_there) + len(report.refused)
    speed = total / report.seconds if report.seconds else 0.0
    out.print(
        f"{len(report.enrolled)} enrolled, {len(report.already_there)} already there, {len(report.refused)} refused "
        f"({report.seconds:.1f} s, {speed:.1f} photos/s)"
    )


def remark_sentences(remarks: Sequence[Refusal]) -> list[str]:
    """One sentence for each kind of remark, with the photos that it is about; many are counted."""
    alike: dict[str, list[str]] = {}
    for one in remarks:
        alike.setdefault(one.reason, []).append(one.path)
    told = []
    for words, paths in alike.items():
        if len(paths) == 1:
            told.append(f"{paths[0]} {words}.")
        else:
            named = ", ".join(paths[:NAMED]) + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")
            told.append(f"{len(paths)} photos, each of which {words}: {named}.")
    return told


def print_fit(report: FitReport) -> None:
    """What the fit used, and whether there is a model now."""
    used = f"{report.photos} photos of {report.turtles} turtles, {report.pairs} pairs ({report.compared} compared now)"
    if report.decided:
        used += f", {report.decided} of the photos queries that people decided"
    state = "fitted" if report.fitted else f"not fitted: {report.reason}"
    out.print(Text(f"{state} ({used}, {report.seconds:.1f} s)"))


def print_answer(one: Answer, top: int) -> None:
    """Verdict, reason and the best candidates of one photo, and what was done with it."""
    print_identification(one.identification, top)
    if one.enrolled_as:
        out.print(Text(f"  enrolled as {one.enrolled_as}", style="bold"))


def print_identification(answer: Identification, top: int) -> None:
    """Verdict, reason and the best candidates of one photo."""
    _print_prediction(answer.photo, answer.prediction)
    if not answer.candidates:
        return
    print_candidates(answer.candidates[:top])
    coverage = answer.coverage
    out.print(
        f"  compared {coverage.photos} photos of {coverage.turtles} turtles, out of "
        f"{coverage.gallery_photos} of {coverage.gallery_turtles}, with {answer.matcher} in {answer.seconds:.1f} s"
    )


def _print_prediction(name: str, prediction: Prediction) -> None:
    headline = Text(f"{name}: ")
    headline.append(str(prediction.verdict), style=f"bold {COLOURS.get(prediction.verdict, 'red')}")
    if prediction.turtle:
        headline.append(f" {prediction.turtle}", style="bold")
    if prediction.p_new_interval is not None:
        low, high = prediction.p_new_interval
        headline.append(f"  P(new) = {prediction.p_new:.2f} ({low:.2f} to {high:.2f})")
    out.print(headline)
    out.print(Text(f"  {prediction.reason}"))


def print_candidates(candidates: Sequence[Candidate]) -> None:
    """Turtles in order, each with its best photo; what does not fit the terminal is folded."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("turtle", overflow="fold")
    for figures in ("score", "probability", "matches"):
        table.add_column(figures, no_wrap=True)
    table.add_column("best photo", overflow="fold")
    for candidate in candidates:
        probability = "" if candidate.probability is None else f"{candidate.probability:.3f}"
        row = (candidate.turtle, f"{candidate.score:.4f}", probability, str(candidate.matches), candidate.photo.path)
        table.add_row(*map(Text, row))
    print_table(table)


def print_encounter(one: AnsweredEncounter, top: int) -> None:
    """One verdict, its reason and the best candidates, then what each photo says alone."""
    found = one.found
    _print_prediction(found.name or "encounter", found.prediction)
    if found.candidates:
        print_candidates(found.candidates[:top])
    for photo in found.photos:
        side = f" ({photo.query.side})" if photo.query.side else ""
        p_new = "" if photo.p_new is None else f", P(new) {photo.p_new:.2f}"
        first = f", first {photo.candidates[0].turtle}" if photo.candidates else ""
        out.print(Text(f"  alone: {photo.photo}{side}: {photo.verdict}{first}{p_new}"))
    if one.enrolled_as:
        out.print(Text(f"  enrolled as {one.enrolled_as}", style="bold"))
