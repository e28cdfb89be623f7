"""`turtleidx encounters`: the occasions on which turtles were photographed."""

from __future__ import annotations

from typing import Annotated

import typer

from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import Photos, browser, change, form_of, numbers_of, page_of, tell_of_more

app = typer.Typer(no_args_is_help=True, help="The encounters of the catalogue.")


def add_to(whole: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    whole.add_typer(app, name="encounters")


Number = Annotated[int, typer.Argument(metavar="ENCOUNTER", help="Its number, as `encounters list` shows it.")]


@app.command("list")
@options.spread
def list_encounters(
    context: typer.Context,
    turtle: Annotated[str | None, typer.Option(help="Only this turtle's encounters.")] = None,
    unidentified: Annotated[bool, typer.Option("--unidentified", help="Only encounters without a turtle.")] = False,
    *,
    how: options.Listing,
) -> None:
    """Encounters by day, one page of them."""
    form = form_of(how.as_json, how.as_csv)
    found = browser(context, how.as_of).encounters(
        turtle=turtle, unidentified=unidentified, page=page_of(how.page, how.page_size)
    )
    printing.print_records([schemas.encounter_record(encounter) for encounter in found], schemas.ENCOUNTERS, form)
    tell_of_more(len(found), how.page, how.page_size)


@app.command("show")
@options.spread
def show_encounter(
    context: typer.Context,
    encounter: Number,
    *,
    how: options.Showing,
) -> None:
    """One encounter with its photos."""
    looking = browser(context, how.as_of)
    found, photos = looking.encounter(encounter), looking.photos(encounter=encounter)
    if how.as_json:
        records = [schemas.photo_record(photo, how.exact_locations) for photo in photos]
        printing.print_json(schemas.encounter_record(found) | {"photos": records})
        return
    printing.print_record(schemas.encounter_record(found), schemas.ENCOUNTERS, printing.Form.TABLE)
    printing.print_encounters([found], photos)


@app.command("merge")
@options.spread
def merge_encounters(
    context: typer.Context,
    encounter: Annotated[int, typer.Argument(metavar="ENCOUNTER", help="The encounter to keep.")],
    others: Annotated[list[int], typer.Argument(metavar="OTHER", help="Encounters that were the same occasion.")],
    *,
    how: options.AskedChange,
) -> None:
    """Say that several encounters of one turtle were one occasion."""
    question = f"Merge encounters {', '.join(map(str, others))} into {encounter}?"
    change(context, how, lambda curator: curator.merge_encounters(encounter, others), question)


@app.command("split")
@options.spread
def split_encounter(
    context: typer.Context,
    encounter: Number,
    photos: Photos,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the occasion that these photos show.")],
    *,
    how: options.AskedChange,
) -> None:
    """Say that some photos of an encounter were an occasion of their own."""
    chosen = numbers_of(context, photos)
    question = f"Move {len(chosen)} photos of encounter {encounter} to a new one called {name}?"
    change(context, how, lambda curator: curator.split_encounter(encounter, chosen, name), question)
