"""`turtleidx info`, `history` and `undo`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from index.errors import UnknownRecord
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import ChangeOptions, browser, change, form_of, opened, page_of


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("info")(info_command)
    app.command("history")(history_command)
    app.command("undo")(undo_command)


def info_command(context: typer.Context, as_json: options.Json = False) -> None:
    """Counts, models, sizes on disk and health of the catalogue."""
    from retrieval.pipeline import drift_of  # takes a while to import

    catalog = opened(context)
    recipe = f"{catalog.recipe.extractor} and {catalog.recipe.encoder}"
    summary, drift = catalog.summary(), drift_of(catalog)
    sentence = None if drift is None else drift.sentence
    if sentence is not None:
        summary = replace(summary, health=(*summary.health, sentence))
    rows = schemas.summary_rows(str(catalog.path), recipe, summary)
    if as_json:
        printing.print_json(schemas.summary_record(str(catalog.path), catalog.recipe, summary) | {"drift": sentence})
    else:
        printing.print_pairs(rows)


def history_command(
    context: typer.Context,
    subject: Annotated[
        str | None, typer.Argument(metavar="[TURTLE|PHOTO]", help="Only what touched it; an id goes before a photo.")
    ] = None,
    turtle: Annotated[
        str | None, typer.Option(help="Only what touched this turtle, its encounters, its photos.")
    ] = None,
    photo: Annotated[str | None, typer.Option(help="Only what touched this photo.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10**9, help="Events to show, newest first.")] = 50,
    as_of: options.AsOf = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """What was changed, by whom, when and why."""
    if sum(one is not None for one in (subject, turtle, photo)) > 1:
        raise typer.BadParameter("choose one turtle or one photo.")
    form = form_of(as_json, as_csv)
    looking = browser(context, as_of)
    if subject is not None:
        try:
            turtle = looking.turtle(subject).id
        except UnknownRecord:
            photo = subject
    number = None if photo is None else looking.photo(photo).id
    events = looking.history(turtle=turtle, photo=number, page=page_of(1, limit))
    printing.print_records([schemas.event_record(event) for event in events], schemas.EVENTS, form)


def undo_command(
    context: typer.Context,
    event: Annotated[int | None, typer.Argument(help="Its number in the history; else the newest that stands.")] = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Take an event back; undoing an undo brings it back."""
    if event is None:
        event = browser(context).newest_standing()
    question = f"Take event {event} back?"
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.undo(event), question)
