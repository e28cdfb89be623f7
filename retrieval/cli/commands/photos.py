"""`turtleidx photos`: looking at photos, and correcting what is known about them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from index.registry import ChangeReport
from index.types import HeadBox, Side
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import (
    Photos,
    browser,
    change,
    form_of,
    numbers_of,
    opened,
    page_of,
    target_turtle,
    tell_of_more,
    tell_of_retired,
)
from retrieval.cli.exit_codes import ExitCode

app = typer.Typer(no_args_is_help=True, help="The photos of the catalogue.")


def add_to(whole: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    whole.add_typer(app, name="photos")


@app.command("list")
@options.spread
def list_photos(
    context: typer.Context,
    turtle: Annotated[str | None, typer.Option(help="Only this turtle's photos.")] = None,
    encounter: Annotated[int | None, typer.Option(help="Only photos of this encounter.")] = None,
    side: Annotated[
        Side | None,
        typer.Option(parser=options.parsed_side, metavar=options.SIDES, help="Only photos of this side of the head."),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Only photos of this site.")] = None,
    taken_from: Annotated[
        dt.date | None, typer.Option("--from", parser=options.parsed_day, metavar="DATE", help="Taken then or later.")
    ] = None,
    taken_to: Annotated[
        dt.date | None, typer.Option("--to", parser=options.parsed_day, metavar="DATE", help="Taken then or earlier.")
    ] = None,
    unidentified: Annotated[bool, typer.Option("--unidentified", help="Only photos without a turtle.")] = False,
    removed: Annotated[bool, typer.Option("--removed", help="Only removed photos.")] = False,
    no_head: Annotated[bool, typer.Option("--no-head", help="Only photos that wait for their head box.")] = False,
    exact_locations: options.ExactLocations = False,
    *,
    how: options.Listing,
) -> None:
    """Photos in order of enrolment, one page of them."""
    form = form_of(how.as_json, how.as_csv)
    found = browser(context, how.as_of).photos(
        turtle=turtle,
        encounter=encounter,
        side=side,
        site=site,
        taken_from=taken_from,
        taken_to=taken_to,
        unidentified=unidentified,
        removed=removed,
        no_head=no_head,
        page=page_of(how.page, how.page_size),
    )
    printing.print_records([schemas.photo_record(photo, exact_locations) for photo in found], schemas.PHOTOS, form)
    tell_of_more(len(found), how.page, how.page_size)
    if no_head and found and form is printing.Form.TABLE:
        printing.say(f"next: `turtleidx photos box {found[0].id} X,Y,W,H` draws a box, `turtleidx review` by mouse.")


@app.command("show")
@options.spread
def show_photos(
    context: typer.Context,
    photos: Photos,
    *,
    how: options.Showing,
) -> None:
    """Everything that the catalogue knows about photos."""
    looking = browser(context, how.as_of)
    form = form_of(how.as_json, False)
    for found in [looking.photo(reference) for reference in photos]:
        printing.print_record(schemas.photo_record(found, how.exact_locations), schemas.PHOTOS, form)


@app.command("move")
@options.spread
def move_photos(
    context: typer.Context,
    photos: Photos,
    turtle: Annotated[
        str | None, typer.Option("--to", metavar="TURTLE", help="An id that is there, or new for the next free one.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--to-nobody", help="Nobody knows which turtle they show.")] = False,
    *,
    how: options.Change,
) -> None:
    """Say which turtle photos show."""
    _choose_one(turtle is not None, nobody, "--to", "--to-nobody")
    chosen = numbers_of(context, photos)
    into = None if turtle is None else target_turtle(opened(context), turtle)
    change(context, how, lambda curator: curator.move_photos(chosen, into))
    tell_of_retired(opened(context), chosen)


@app.command("remove")
@options.spread
def remove_photos(
    context: typer.Context,
    photos: Photos,
    *,
    how: options.AskedChange,
) -> None:
    """Take photos out of every search and count; `restore` brings them back until `turtleidx compact`."""
    chosen = numbers_of(context, photos)
    change(context, how, lambda curator: curator.remove_photos(chosen), f"Remove {len(chosen)} photos?")


@app.command("restore")
@options.spread
def restore_photos(
    context: typer.Context,
    photos: Photos,
    *,
    how: options.Change,
) -> None:
    """Bring removed photos back."""
    chosen = numbers_of(context, photos)
    change(context, how, lambda curator: curator.restore_photos(chosen))


@app.command("side")
@options.spread
def set_side(
    context: typer.Context,
    photos: Photos,
    side: Annotated[
        Side | None,
        typer.Option(
            "--is", parser=options.parsed_side, metavar=options.SIDES, help="The side of the head that they show."
        ),
    ] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Nobody knows.")] = False,
    *,
    how: options.Change,
) -> None:
    """Correct which side photos show."""
    _choose_one(side is not None, unknown, "--is", "--unknown")
    chosen = numbers_of(context, photos)
    change(context, how, lambda curator: curator.set_side(chosen, side))


@app.command("box")
@options.spread
def set_box(
    context: typer.Context,
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="A number, a path, or the beginning of a sha256.")],
    box: Annotated[
        HeadBox, typer.Argument(parser=options.parsed_box, metavar="X,Y,W,H", help="In pixels of the upright photo.")
    ],
    side: options.SideOfHead = None,
    *,
    how: options.Change,
) -> None:
    """Say where the head of a photo is; the photo is read again within the box."""
    from retrieval.engine import NEAREST, Engine, EngineOptions  # takes a second to import
    from retrieval.pipeline import draw_box, masks_of

    catalog = opened(context)
    number = browser(context).photo(photo).id
    choices = EngineOptions(matcher=NEAREST, device=context.obj.device, masks=masks_of(catalog))
    engine = Engine.load(catalog.recipe, choices)
    catalog.require(engine.recipe)
    change(context, how, lambda curator: draw_box(catalog, engine, number, box, side, curator))


@app.command("date")
@options.spread
def set_date(
    context: typer.Context,
    photos: Photos,
    day: Annotated[
        dt.date | None,
        typer.Option("--is", parser=options.parsed_day, metavar="DATE", help="The day they were taken, YYYY-MM-DD."),
    ] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Nobody knows.")] = False,
    *,
    how: options.Change,
) -> None:
    """Correct the day photos were taken; encounters follow unless they are named."""
    _choose_one(day is not None, unknown, "--is", "--unknown")
    chosen = numbers_of(context, photos)
    change(context, how, lambda curator: curator.set_date(chosen, day))


@app.command("relocate")
@options.spread
def relocate_photos(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the originals lie now, at any depth.")],
    *,
    how: options.Change,
) -> None:
    """Find originals that were moved, by their bytes or pictures, and remember where they lie now."""
    from retrieval.images import find_originals  # loads what reads images

    with printing.progress_bar("looking through files", None) as advance:
        search = find_originals(browser(context).photos(), folder, advance)
    if search.found:
        change(context, how, lambda curator: curator.relocate_photos(search.found))
    else:
        printing.print_done(ChangeReport(None, ()), how.dry_run, how.as_json)
    for sentence in search.unreadable:
        printing.say(f"passed over: {sentence}")
    printing.say(
        f"{len(search.found)} moved originals found, {search.in_place} where they were, {search.missing} still missing."
    )
    if search.unreadable:
        raise typer.Exit(ExitCode.SOME_REFUSED)


def _choose_one(first: bool, second: bool, *names: str) -> None:
    if first == second:
        raise typer.BadParameter(f"give one of {' and '.join(names)}.")
