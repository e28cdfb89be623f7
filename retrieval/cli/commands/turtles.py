"""`turtleidx turtles`: looking at individuals, and changing what is known about them."""

from __future__ import annotations

from typing import Annotated

import typer

from index.catalog import TurtleOrder
from index.naming import NEXT_FREE
from index.registry import TurtleStatus
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import Photos, browser, change, form_of, numbers_of, opened, page_of, tell_of_more

app = typer.Typer(no_args_is_help=True, help="The turtles of the catalogue.")


def add_to(whole: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    whole.add_typer(app, name="turtles")


Name = Annotated[str, typer.Argument(metavar="TURTLE", help="Its id.")]


@app.command("list")
@options.spread
def list_turtles(
    context: typer.Context,
    status: Annotated[TurtleStatus | None, typer.Option(help="Only ids in this state.")] = None,
    species: Annotated[str | None, typer.Option(help="Only this species.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only turtles with this tag.")] = None,
    site: Annotated[str | None, typer.Option(help="Only turtles that were seen at this site.")] = None,
    sort: Annotated[TurtleOrder, typer.Option(help="What to sort by.")] = TurtleOrder.ID,
    descending: Annotated[bool, typer.Option("--descending", help="Largest or latest first.")] = False,
    *,
    how: options.Listing,
) -> None:
    """Turtles, one page of them."""
    form = form_of(how.as_json, how.as_csv)
    found = browser(context, how.as_of).turtles(
        status=status,
        species=species,
        tag=tag,
        site=site,
        order=sort,
        descending=descending,
        page=page_of(how.page, how.page_size),
    )
    printing.print_records([schemas.turtle_record(turtle) for turtle in found], schemas.TURTLES, form)
    tell_of_more(len(found), how.page, how.page_size)


@app.command("show")
@options.spread
def show_turtle(
    context: typer.Context,
    turtle: Name,
    *,
    how: options.Showing,
) -> None:
    """One turtle with its encounters and photos."""
    looking = browser(context, how.as_of)
    found = looking.turtle(turtle)
    encounters, photos = looking.encounters(turtle=turtle), looking.photos(turtle=turtle)
    if how.as_json:
        records = [schemas.photo_record(photo, how.exact_locations) for photo in photos]
        printing.print_json(schemas.turtle_record(found) | {"photos": records})
        return
    printing.print_record(schemas.turtle_record(found), schemas.TURTLES, printing.Form.TABLE)
    printing.print_encounters(encounters, photos)


@app.command("create")
@options.spread
def create_turtle(
    context: typer.Context,
    turtle: Name,
    species: Annotated[str | None, typer.Option()] = None,
    note: Annotated[str | None, typer.Option()] = None,
    *,
    how: options.Change,
) -> None:
    """Add a turtle without photos."""
    change(context, how, lambda curator: curator.create_turtle(turtle, species, note))


@app.command("rename")
@options.spread
def rename_turtle(
    context: typer.Context,
    turtle: Name,
    new: Annotated[str, typer.Argument(help="Its new id.")],
    *,
    how: options.Change,
) -> None:
    """Give a turtle another id; everything that belongs to it follows."""
    change(context, how, lambda curator: curator.rename_turtle(turtle, new))


@app.command("merge")
@options.spread
def merge_turtles(
    context: typer.Context,
    turtle: Annotated[str, typer.Argument(metavar="TURTLE", help="The id to keep.")],
    others: Annotated[list[str], typer.Argument(metavar="OTHER", help="Ids that prove to be the same turtle.")],
    *,
    how: options.AskedChange,
) -> None:
    """Say that several ids are one turtle; the first takes over the photos and tags of the others."""
    question = f"Merge {', '.join(others)} into {turtle}?"
    change(context, how, lambda curator: curator.merge_turtles(turtle, others), question)


@app.command("split")
@options.spread
def split_turtle(
    context: typer.Context,
    turtle: Name,
    photos: Photos,
    new: Annotated[
        str,
        typer.Option("--as", metavar="TURTLE", help="Id of the turtle that they show, or new for the next free one."),
    ],
    *,
    how: options.AskedChange,
) -> None:
    """Say that some photos of a turtle show another one, which gets a new id."""
    chosen = numbers_of(context, photos)
    made = opened(context).next_turtle_id() if new.lower() == NEXT_FREE else new
    question = f"Move {len(chosen)} photos of {turtle} to the new turtle {made}?"
    change(context, how, lambda curator: curator.split_turtle(turtle, chosen, made), question)


@app.command("retire")
@options.spread
def retire_turtle(
    context: typer.Context,
    turtle: Name,
    *,
    how: options.AskedChange,
) -> None:
    """Take an id out of use: its photos are kept, but searches pass over them."""
    change(context, how, lambda curator: curator.retire_turtle(turtle), f"Retire {turtle}?")


@app.command("restore")
@options.spread
def restore_turtle(
    context: typer.Context,
    turtle: Name,
    *,
    how: options.Change,
) -> None:
    """Take a retired id back into use."""
    change(context, how, lambda curator: curator.restore_turtle(turtle))


@app.command("note")
@options.spread
def note_turtle(
    context: typer.Context,
    turtle: Name,
    note: Annotated[str | None, typer.Argument(help="The note; none takes the old one away.")] = None,
    *,
    how: options.Change,
) -> None:
    """Replace a turtle's note."""
    change(context, how, lambda curator: curator.note_turtle(turtle, note))


@app.command("species")
@options.spread
def species_turtle(
    context: typer.Context,
    turtle: Name,
    species: Annotated[str | None, typer.Argument(help="The species; none: nobody knows.")] = None,
    *,
    how: options.Change,
) -> None:
    """Say which species a turtle is."""
    change(context, how, lambda curator: curator.species_turtle(turtle, species))


@app.command("tag")
@options.spread
def tag_turtle(
    context: typer.Context,
    turtle: Name,
    add: Annotated[list[str] | None, typer.Option(help="A tag to add; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away; repeatable.")] = None,
    *,
    how: options.Change,
) -> None:
    """Add tags and take them away."""
    if not add and not remove:
        raise typer.BadParameter("name tags with --add or --remove.")
    change(context, how, lambda curator: curator.tag_turtle(turtle, add or (), remove or ()))
