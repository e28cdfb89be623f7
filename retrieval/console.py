"""How answers look on a terminal and as JSON lines; door to rich."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from index.records import CatalogSummary
from index.types import Recipe
from retrieval.verdict import Verdict

if TYPE_CHECKING:  # importing them would load what compares photos
    from retrieval.answering import Answer
    from retrieval.checkpoints import WeightsListing
    from retrieval.results import Candidate, EnrollReport, FitReport, Identification

UNLIMITED = 10_000
"""Width of a table that goes to a file or a pipe, which have none."""

out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

COLOURS = {Verdict.KNOWN: "green", Verdict.NEW: "magenta", Verdict.UNDECIDED: "yellow"}


def say(sentence: str) -> None:
    """A message for the user, on standard error."""
    err.print(Text(sentence))


def replace_unprintable() -> None:
    """From now on characters that the terminal's or the file's encoding lacks are replaced, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_json(record: Mapping[str, object]) -> None:
    """One object a line on standard output, escaped where the output's encoding lacks a character."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, default=str)
    try:
        text.encode(out.encoding)
    except UnicodeEncodeError:
        text = json.dumps(record, allow_nan=False, default=str)
    out.out(text, highlight=False)


def print_table(table: Table) -> None:
    """A table that fits the terminal; in a file or a pipe, as wide as it is."""
    if out.is_terminal:
        out.print(table, soft_wrap=False)
    else:
        Console(file=out.file, width=UNLIMITED, highlight=False, markup=False, emoji=False).print(table)


class Advance(Protocol):
    """Moves a progress bar on."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many more items are done, out of `total` where that is known by now."""


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Advance]:
    """A bar on standard error with count, speed and time left; call what it gives with the items just finished."""
    from rich import progress  # most commands show none, and need not wait for it

    class Speed(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    text, count, left = (
        progress.TextColumn("{task.description}"),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(text, progress.BarColumn(), count, Speed(), left, console=err, transient=True) as bars:
        task = bars.add_task(label, total=total)

        def advance(done: int, total: int | None = None) -> None:
            bars.update(task, advance=done, total=total)

        yield advance


def print_enrolment(report: EnrollReport) -> None:
    """Counts, speed, and the reason for each refused photo."""
    for refusal in report.refused:
        say(f"refused: {refusal.reason}")
    total = len(report.enrolled) + len(report.already_there) + len(report.refused)
    speed = total / report.seconds if report.seconds else 0.0
    out.print(
        f"{len(report.enrolled)} enrolled, {len(report.already_there)} already there, {len(report.refused)} refused "
        f"({report.seconds:.1f} s, {speed:.1f} photos/s)"
    )


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
    headline = Text(f"{answer.photo}: ")
    headline.append(str(answer.verdict), style=f"bold {COLOURS.get(answer.verdict, 'red')}")
    if answer.turtle:
        headline.append(f" {answer.turtle}", style="bold")
    if answer.p_new is not None and answer.p_new_low is not None and answer.p_new_high is not None:
        headline.append(f"  P(new) = {answer.p_new:.2f} ({answer.p_new_low:.2f} to {answer.p_new_high:.2f})")
    out.print(headline)
    out.print(Text(f"  {answer.reason}"))
    if not answer.candidates:
        return
    print_candidates(answer.candidates[:top])
    out.print(
        f"  compared {answer.compared_photos} photos of {answer.compared_turtles} turtles, out of "
        f"{answer.gallery_photos} of {answer.gallery_turtles}, with {answer.matcher} in {answer.seconds:.1f} s"
    )


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


def identification_record(answer: Identification, top: int) -> dict[str, object]:
    """The documented JSON object of one query photo."""
    return {
        "photo": answer.photo,
        "verdict": str(answer.verdict),
        "turtle": answer.turtle,
        "p_new": answer.p_new,
        "p_new_interval": None if answer.p_new is None else [answer.p_new_low, answer.p_new_high],
        "p_not_compared": answer.p_not_compared,
        "reason": answer.reason,
        "candidates": [
            {
                "turtle": candidate.turtle,
                "score": candidate.score,
                "probability": candidate.probability,
                "matches": candidate.matches,
                "photo": candidate.photo.path,
            }
            for candidate in answer.candidates[:top]
        ],
        "compared": {"photos": answer.compared_photos, "turtles": answer.compared_turtles},
        "gallery": {"photos": answer.gallery_photos, "turtles": answer.gallery_turtles},
        "matcher": answer.matcher,
        "seconds": round(answer.seconds, 3),
    }


def print_pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    print_table(table)


def summary_rows(path: str, recipe: str, summary: CatalogSummary) -> list[tuple[str, str]]:
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
        ("made with", recipe),
        (
            "on disk",
            f"{_size(stored)}: registry {_size(summary.registry_bytes)}, features {_size(summary.features_bytes)}, "
            f"vectors {_size(summary.vectors_bytes)}",
        ),
    ]
    if summary.vectors_recall is not None:
        rows.append(("shortlists", f"find {summary.vectors_recall:.1%} of what an exact search finds"))
    models = [(one.kind, f"{one.made_at:%Y-%m-%d %H:%M} UTC, for {one.recipe}") for one in summary.models]
    rows += [(f"model: {kind}", made) for kind, made in models]
    return rows + [("health", sentence) for sentence in summary.health or ("all well",)]


def summary_record(path: str, recipe: Recipe, summary: CatalogSummary) -> dict[str, object]:
    """What `info` tells, as a JSON object."""
    models = [
        {"kind": model.kind, "recipe": model.recipe, "made_at": model.made_at.isoformat()} for model in summary.models
    ]
    return {"catalogue": path, **asdict(recipe), **asdict(summary), "models": models}


def print_weights(listing: Sequence[WeightsListing], as_json: bool) -> None:
    """Networks by name, with licence and place."""
    if as_json:
        for row in listing:
            print_json({**asdict(row), "path": row.path and str(row.path)})
        return
    table = Table("kind", "name", "licence", "at hand", "source", box=None, padding=(0, 2))
    for row in listing:
        table.add_row(*map(Text, (row.kind, row.name, row.licence, str(row.path or "no"), row.source)))
    for column in table.columns:
        column.overflow = "fold"
    print_table(table)


def _size(amount: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")
