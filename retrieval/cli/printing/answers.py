"""How enrolments, fits and answers about photos and encounters look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from index.types import Refusal
from retrieval.cli.printing.terminal import out, print_table, say
from retrieval.schemas import matcher_name

if TYPE_CHECKING:
    from retrieval.fitting import FitReport
    from retrieval.novelty import Prediction, Verdict
    from retrieval.pipeline import Answer, AnsweredEncounter, Coverage, EnrollReport, Identification
    from retrieval.scoring import Candidate


NAMED = 10
"""Photos that a sentence about many names."""

COLOURS = {"KNOWN": "green", "NEW": "magenta", "UNDECIDED": "yellow"}
"""By verdict; a plain table, because importing verdicts would load what is fitted."""

REFUSED = "REFUSED"


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
    if report.model.novelty is not None:
        from retrieval.novelty import expect

        out.print(Text(expect(report.model.novelty).sentence))


def print_told(one: Answer | AnsweredEncounter, top: int, kept: Sequence[int], *, full: bool) -> None:
    """One answer: all about it, or a line; what cannot be used goes to standard error."""
    from retrieval.pipeline import Answer, AnsweredEncounter  # loads what compares photos, which did so already

    photos = (one.identification,) if isinstance(one, Answer) else one.found.photos
    if all(photo.verdict == REFUSED for photo in photos):
        for photo in photos:
            say(f"refused: {photo.reason}")
        return
    if isinstance(one, AnsweredEncounter):
        print_encounter(one, top)
    elif full:
        print_answer(one, top)
    else:
        print_line(one.identification, one.enrolled_as, kept)
    if kept and (full or isinstance(one, AnsweredEncounter)):
        numbers = " and ".join(map(str, kept))
        say(f"Kept as query {numbers}; `turtleidx decide {kept[0]} --is ID --enroll` (or --new) settles it.")


def print_line(found: Identification, enrolled_as: str | None, kept: Sequence[int]) -> None:
    """One photo in one line: verdict, turtle or first candidate, probabilities, matches, file."""
    line = Text(f"{found.verdict:<14}", style=COLOURS.get(found.verdict, "red"))
    best = found.candidates[0] if found.candidates else None
    if best is not None:
        certain = "?" if found.turtle is None else ""
        chance = "" if best.probability is None else f"P = {best.probability:.2f}"
        line.append(f" {best.turtle + certain:<9} {chance:<9} {best.matches:>4} matches", style="default")
    p_new = "" if found.p_new is None else f"P(new) = {found.p_new:.2f}"
    line.append(f"  {p_new:<14}  {found.photo}", style="default")
    if found.other_side is not None:
        line.append(f"  matches {found.other_side.turtle}'s {str(found.other_side.side).upper()} side: wrong side?")
    if enrolled_as:
        line.append(f"  enrolled as {enrolled_as}", style="bold")
    if kept:
        line.append(f"  kept as {kept[0]}", style="default")
    out.print(line)


def print_summary(verdicts: Mapping[Verdict, int]) -> None:
    """How many photos or encounters got which verdict, and what to do with the undecided ones."""
    order = [*COLOURS, "NOT_COMPARABLE", REFUSED]
    counts = {str(one): number for one, number in verdicts.items()}
    told = ", ".join(f"{counts[one]} {one}" for one in order if counts.get(one))
    say(f"{sum(counts.values())} answers: {told}.")
    if counts.get("UNDECIDED") or counts.get("NEW"):
        say(
            "next: --full tells all about each, --plot FOLDER draws the matches, --csv goes into a spreadsheet; --keep "
            "keeps them for `turtleidx queries` and `turtleidx decide NUMBER --is ID --enroll`."
        )


def print_answer(one: Answer, top: int) -> None:
    """Verdict, reason and the best candidates of one photo, what was done with it, and what a person can do."""
    from retrieval.pipeline import next_step

    print_identification(one.identification, top)
    if one.enrolled_as:
        out.print(Text(f"  enrolled as {one.enrolled_as}", style="bold"))
    _print_next(None if one.enrolled_as else next_step(one.identification))


def _print_next(step: str | None) -> None:
    if step is not None:
        out.print(Text(f"  next: {step}"))


def print_identification(answer: Identification, top: int) -> None:
    """Verdict, reason and the best candidates of one photo."""
    _print_prediction(answer.photo, answer.prediction)
    if not answer.candidates:
        return
    print_candidates(answer.candidates[:top])
    out.print(f"  {_compared(answer.coverage)} with {matcher_name(answer.matcher)} in {answer.seconds:.1f} s")


def _compared(coverage: Coverage) -> str:
    if coverage.photos == coverage.gallery_photos:
        return f"compared all {coverage.photos} photos of {coverage.turtles} turtles"
    return (
        f"compared {coverage.photos} photos of {coverage.turtles} turtles, out of {coverage.gallery_photos} of "
        f"{coverage.gallery_turtles},"
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
    if prediction.lean is not None:
        lean = f"{prediction.lean[0].upper()}{prediction.lean[1:]}."
        out.print(Text(f"  {lean} {prediction.settle or ''}".rstrip()))


def print_candidates(candidates: Sequence[Candidate]) -> None:
    """Turtles in order, each with its best photo; what does not fit the terminal is folded."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("turtle", overflow="fold")
    for figures in ("score", "probability", "matches"):
        table.add_column(figures, no_wrap=True)
    table.add_column("best photo", overflow="fold")
    for candidate in candidates:
        probability = "" if candidate.probability is None else _probability(candidate.probability)
        row = (candidate.turtle, f"{candidate.score:.4f}", probability, str(candidate.matches), candidate.photo.path)
        table.add_row(*map(Text, row))
    print_table(table)


def _probability(p: float) -> str:
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def print_encounter(one: AnsweredEncounter, top: int) -> None:
    """One verdict, its reason and the best candidates, then what each photo says alone."""
    from retrieval.pipeline import next_for_encounter

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
    _print_next(None if one.enrolled_as else next_for_encounter(found))
