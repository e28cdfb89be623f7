"""`turtleidx info`, `history` and `undo`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from index.catalog import Browser, sampled_originals
from index.errors import Conflict, UnknownRecord
from index.times import local
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import browser, change, form_of, opened, page_of
from retrieval.weight_files import has_second_expert


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("info")(info_command)
    app.command("history")(history_command)
    app.command("undo")(undo_command)


def info_command(context: typer.Context, as_json: options.Json = False) -> None:
    """Counts, models, sizes on disk and health of the catalogue."""
    from retrieval.engine import LACKING  # these take a while to import
    from retrieval.pipeline import drift_of, outgrown

    catalog = opened(context)
    summary, drift, originals = catalog.summary(), drift_of(catalog), sampled_originals(catalog)
    sentences = [None if drift is None else drift.sentence, outgrown(catalog), *originals.sentences()]
    of_sift = catalog.recipe.extractor.startswith("sift-")
    lacking = LACKING if of_sift and not has_second_expert() else None
    summary = replace(summary, health=(*summary.health, *(one for one in sentences if one is not None)))
    if as_json:
        record = schemas.summary_record(str(catalog.path), catalog.recipe, summary)
        lost = {"looked_for": originals.looked_for, "missing": len(originals.missing)}
        noticed = {"drift": sentences[0], "outgrown": sentences[1], "lacking": lacking}
        printing.print_json(record | noticed | {"originals": lost})
    else:
        rows = schemas.summary_rows(str(catalog.path), catalog.recipe, summary)
        printing.print_pairs([*rows, *([("could be better", lacking)] if lacking else [])])


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
        turtle, photo = _meant(looking, subject)
    number = None if photo is None else looking.photo(photo).id
    events = looking.history(turtle=turtle, photo=number, page=page_of(1, limit))
    printing.print_history(events, looking.subjects(events), form)


def _meant(looking: Browser, subject: str) -> tuple[str | None, str | None]:
    """A turtle's id, present or former, or a photo; of what is neither, the sentence is about what it looks like."""
    try:
        return looking.turtle(subject).id, None
    except UnknownRecord as error:
        former = looking.former(subject)
        if former is not None:
            return former, None
        try:
            looking.photo(subject)
        except UnknownRecord:
            if not Path(subject).suffix and not subject.isdecimal():
                raise error from None
        return None, subject


@options.spread
def undo_command(
    context: typer.Context,
    event: Annotated[int | None, typer.Argument(help="Its number in the history; else the newest that stands.")] = None,
    *,
    how: options.AskedChange,
) -> None:
    """Take an event back; undoing an undo brings it back."""
    looking = browser(context)
    chosen = looking.event(looking.newest_standing() if event is None else event)
    told = f"{chosen.action}, by {chosen.who} on {local(chosen.at)}"
    subject = looking.subjects([chosen])[chosen.id].sentence
    if event is None and how.yes and not how.dry_run and chosen.who != context.obj.who:
        raise Conflict(
            f"The newest event is not yours: {chosen.id} ({told}). `turtleidx undo {chosen.id}` takes it back."
        )
    event = chosen.id
    question = f"Take event {event} back ({told}{f'; {subject}' if subject else ''})?"
    change(context, how, lambda curator: curator.undo(event), question)
