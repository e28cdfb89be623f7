"""`turtleidx turtles`: looking at individuals, and changing what is known about them."""

from __future__ import annotations

from typing import Annotated

import typer

from index.catalog import TurtleOrder
from index.naming import NEXT_FREE
from index.registry import TurtleStatus
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.commands.photos import Photos, numbers_of
from retrieval.cli.common import ChangeOptions, browser, change, form_of, opened, page_of, tell_of_more

app = typer.Typer(no_args_is_help=True, help="The turtles of the catalogue.")


def add_to(whole: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    whole.add_typer(app, name="turtles")


Name = Annotated[str, typer.Argument(metavar="TURTLE", help="Its id.")]


@app.command("list")
def list_turtles(
    context: typer.Context,
    status: Annotated[TurtleStatus | None, typer.Option(help="Only ids in this state.")] = None,
    species: Annotated[str | None, typer.Option(help="Only this species.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only turtles with this tag.")] = None,
    site: Annotated[str | None, typer.Option(help="Only turtles that were seen at this site.")] = None,
    sort: Annotated[TurtleOrder, typer.Option(help="What to sort by.")] = TurtleOrder.ID,
    descending: Annotated[bool, typer.Option("--descending", help="Largest or latest first.")] = False,
    page: options.Page = 1,
    page_size: options.PageSize = 50,
    as_of: options.AsOf = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Turtles, one page of them."""
    form = form_of(as_json, as_csv)
    found = browser(context, as_of).turtles(
        status=status,
        species=species,
        tag=tag,
        site=site,
        order=sort,
        descending=descending,
        page=page_of(page, page_size),
    )
    printing.print_records([schemas.turtle_record(turtle) for turtle in found], schemas.TURTLES, form)
    tell_of_more(len(found), page, page_size)


@app.command("show")
def show_turtle(
    context: typer.Context,
    turtle: Name,
    as_of: options.AsOf = None,
    as_json: options.Json = False,
    exact_locations: options.ExactLocations = False,
) -> None:
    """One turtle with its encounters and photos."""
    looking = browser(context, as_of)
    found = looking.turtle(turtle)
    encounters, photos = looking.encounters(turtle=turtle), looking.photos(turtle=turtle)
    if as_json:
        records = [schemas.photo_record(photo, exact_locations) for photo in photos]
        printing.print_json(schemas.turtle_record(found) | {"photos": records})
        return
    printing.print_record(schemas.turtle_record(found), schemas.TURTLES, printing.Form.TABLE)
    printing.print_encounters(encounters, photos)


@app.command("create")
def create_turtle(
    context: typer.Context,
    turtle: Name,
    species: Annotated[str | None, typer.Option()] = None,
    note: Annotated[str | None, typer.Option()] = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Add a turtle without photos."""
    change(
        context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.create_turtle(turtle, species, note)
    )


@app.command("rename")
def rename_turtle(
    context: typer.Context,
    turtle: Name,
    new: Annotated[str, typer.Argument(help="Its new id.")],
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Give a turtle another id; everything that belongs to it follows."""
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.rename_turtle(turtle, new))


@app.command("merge")
def merge_turtles(
    context: typer.Context,
    turtle: Annotated[str, typer.Argument(metavar="TURTLE", help="The id to keep.")],
    others: Annotated[list[str], typer.Argument(metavar="OTHER", help="Ids that prove to be the same turtle.")],
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Say that several ids are one turtle; the first takes over the photos and tags of the others."""
    question = f"Merge {', '.join(others)} into {turtle}?"
    how = ChangeOptions(dry_run, why, as_json, yes)
    change(context, how, lambda curator: curator.merge_turtles(turtle, others), question)


@app.command("split")
def split_turtle(
    context: typer.Context,
    turtle: Name,
    photos: Photos,
    new: Annotated[
        str,
        typer.Option("--as", metavar="TURTLE", help="Id of the turtle that they show, or new for the next free one."),
    ],
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Say that some photos of a turtle show another one, which gets a new id."""
    chosen = numbers_of(context, photos)
    made = opened(context).next_turtle_id() if new.lower() == NEXT_FREE else new
    question = f"Move {len(chosen)} photos of {turtle} to the new turtle {made}?"
    how = ChangeOptions(dry_run, why, as_json, yes)
    change(context, how, lambda curator: curator.split_turtle(turtle, chosen, made), question)


@app.command("retire")
def retire_turtle(
    context: typer.Context,
    turtle: Name,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Take an id out of use: its photos are kept, but searches pass over them."""
    how = ChangeOptions(dry_run, why, as_json, yes)
    change(context, how, lambda curator: curator.retire_turtle(turtle), f"Retire {turtle}?")


@app.command("restore")
def restore_turtle(
    context: typer.Context,
    turtle: Name,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Take a retired id back into use."""
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.restore_turtle(turtle))


@app.command("note")
def note_turtle(
    context: typer.Context,
    turtle: Name,
    note: Annotated[str | None, typer.Argument(help="The note; none takes the old one away.")] = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Replace a turtle's note."""
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.note_turtle(turtle, note))


@app.command("species")
def species_turtle(
    context: typer.Context,
    turtle: Name,
    species: Annotated[str | None, typer.Argument(help="The species; none: nobody knows.")] = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Say which species a turtle is."""
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.species_turtle(turtle, species))


@app.command("tag")
def tag_turtle(
    context: typer.Context,
    turtle: Name,
    add: Annotated[list[str] | None, typer.Option(help="A tag to add; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away; repeatable.")] = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Add tags and take them away."""
    if not add and not remove:
        raise typer.BadParameter("name tags with --add or --remove.")
    how = ChangeOptions(dry_run, why, as_json, yes)
    change(context, how, lambda curator: curator.tag_turtle(turtle, add or (), remove or ()))
