"""What the commands on the registry share: opening the catalogue, forms of output, and asking before a change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass

import typer

from index.catalog import Browser, Catalog, Page
from index.curation import Curator
from index.errors import InputError
from index.registry import ChangeReport
from retrieval.cli import options, printing
from retrieval.cli.printing import Form


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """How a change is to be made: only shown, told as JSON, for which reason; `yes` asks nothing."""

    dry_run: bool
    why: str
    as_json: bool
    yes: bool = True


def opened(context: typer.Context) -> Catalog:
    """The catalogue that the command is about."""
    common: options.Common = context.obj
    return Catalog.open(common.catalog)


def browser(context: typer.Context, as_of: dt.date | None = None) -> Browser:
    """Looks through the catalogue that the command is about."""
    return Browser(opened(context), as_of)


def form_of(as_json: bool, as_csv: bool) -> Form:
    """How a list is to be printed."""
    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv.")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


def page_of(number: int, size: int) -> Page:
    """A page, counted from 1."""
    return Page(size, (number - 1) * size)


def tell_of_more(found: int, number: int, size: int) -> None:
    """Say that a full page may not be all."""
    if found == size:
        printing.say(f"Page {number} is full; --page {number + 1} shows what follows.")


def change(
    context: typer.Context,
    how: ChangeOptions,
    operation: Callable[[Curator], ChangeReport],
    question: str | None = None,
) -> None:
    """Make a change and tell what it did; with a question, show it and ask first."""
    common: options.Common = context.obj
    catalog = opened(context)
    if question and not how.yes and not how.dry_run:
        preview = operation(Curator(catalog, common.who, how.why, dry_run=True))
        printing.say("This would change:")
        printing.print_changes(preview.changes)
        ask(question)
    done = operation(Curator(catalog, common.who, how.why, dry_run=how.dry_run))
    printing.print_done(done, how.dry_run, how.as_json)


def tell_of_retired(catalog: Catalog, photos: Collection[int]) -> None:
    """Say on standard error which of these photos' turtles are passed over by searches."""
    for name in catalog.retired_owners(photos):
        printing.say(
            f"Turtle {name} is retired: searches pass over its photos until `turtleidx turtles restore {name}`."
        )


def ask(question: str) -> None:
    """Raises InputError unless a person says yes."""
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # nobody is there to answer
        agreed = False
    if not agreed:
        raise InputError("Nothing was changed; answer y, or give --yes.")
