"""The commands that look after a catalogue; none of them loads a network."""

from __future__ import annotations

from typing import Annotated

import typer

from index.catalog import Catalog
from index.types import GalleryFilter
from retrieval import console, options

turtles_app = typer.Typer(no_args_is_help=True, help="The turtles of the catalogue.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.add_typer(turtles_app, name="turtles")
    app.command("info")(info_command)
    app.command("history")(history_command)


@turtles_app.command("list")
def list_turtles(
    context: typer.Context,
    page: Annotated[int, typer.Option(min=1, help="Page of the list.")] = 1,
    page_size: Annotated[int, typer.Option(min=1, help="Turtles on a page.")] = 50,
    as_json: options.Json = False,
) -> None:
    """Turtles in order of id."""
    found = _catalog(context).turtles(limit=page_size, offset=(page - 1) * page_size)
    if as_json:
        for turtle in found:
            console.print_json(console.turtle_record(turtle))
    else:
        console.print_turtles(found)


@turtles_app.command("show")
def show_turtle(context: typer.Context, turtle: str, as_json: options.Json = False) -> None:
    """One turtle with its encounters and photos."""
    catalog = _catalog(context)
    found = catalog.turtle(turtle)
    encounters = catalog.encounters(turtle)
    photos = [photo for photo in catalog.photos(GalleryFilter()) if photo.turtle == turtle]
    if as_json:
        record = console.turtle_record(found)
        console.print_json(record | {"photos": [console.photo_record(photo) for photo in photos]})
    else:
        console.print_turtles([found])
        console.print_encounters(encounters, photos)


def info_command(context: typer.Context, as_json: options.Json = False) -> None:
    """Counts, models, sizes on disk and health of the catalogue."""
    catalog = _catalog(context)
    recipe = f"{catalog.recipe.extractor} and {catalog.recipe.encoder}"
    rows = console.summary_rows(str(catalog.path), recipe, catalog.summary())
    if as_json:
        console.print_json(console.summary_record(str(catalog.path), catalog.recipe, catalog.summary()))
    else:
        console.print_pairs(rows)


def history_command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="Events to show, newest first.")] = 50,
    as_json: options.Json = False,
) -> None:
    """What was changed, by whom and when."""
    events = _catalog(context).history(limit=limit)
    if as_json:
        for event in events:
            console.print_json(console.event_record(event))
    else:
        console.print_history(events)


def _catalog(context: typer.Context) -> Catalog:
    common: options.Common = context.obj
    return Catalog.open(common.catalog)
