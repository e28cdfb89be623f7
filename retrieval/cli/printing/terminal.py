"""How answers look on a terminal and as JSON lines; door to rich."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from index.types import Progress

UNLIMITED = 10_000
"""Width of a table that goes to a file or a pipe, which have none."""

out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


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


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Progress]:
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
        step = 1

        def advance(done: int, total: int | None = None) -> None:
            nonlocal step
            at = bars.tasks[0]
            if total is not None and at.total is not None and (total != at.total or at.completed >= at.total):
                step += 1  # what follows is counted anew, or the bar would be full long before the end
                bars.reset(task, total=total, description=f"{label}, step {step}")
            bars.update(task, advance=done, total=total)

        yield advance
