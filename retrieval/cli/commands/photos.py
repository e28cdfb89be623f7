"""`turtleidx photos`: looking at photos, and correcting what is known about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from index.registry import ChangeReport
from index.types import Side
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import (
    ChangeOptions,
    browser,
    change,
    form_of,
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


Photos = Annotated[list[str], typer.Argument(metavar="PHOTO", help="Numbers, paths, or beginnings of sha256 digests.")]


def numbers_of(context: typer.Context, references: Sequence[str]) -> list[int]:
    """The photos that a user means."""
    looking = browser(context)
    return [looking.photo(reference).id for reference in references]


@app.command("list")
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
    page: options.Page = 1,
    page_size: options.PageSize = 50,
    as_of: options.AsOf = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    exact_locations: options.ExactLocations = False,
) -> None:
    """Photos in order of enrolment, one page of them."""
    form = form_of(as_json, as_csv)
    found = browser(context, as_of).photos(
        turtle=turtle,
        encounter=encounter,
        side=side,
        site=site,
        taken_from=taken_from,
        taken_to=taken_to,
        unidentified=unidentified,
        removed=removed,
        page=page_of(page, page_size),
    )
    printing.print_records([schemas.photo_record(photo, exact_locations) for photo in found], schemas.PHOTOS, form)
    tell_of_more(len(found), page, page_size)


@app.command("show")
def show_photos(
    context: typer.Context,
    photos: Photos,
    as_of: options.AsOf = None,
    as_json: options.Json = False,
    exact_locations: options.ExactLocations = False,
) -> None:
    """Everything that the catalogue knows about photos."""
    looking = browser(context, as_of)
    form = form_of(as_json, False)
    for found in [looking.photo(reference) for reference in photos]:
        printing.print_record(schemas.photo_record(found, exact_locations), schemas.PHOTOS, form)


@app.command("move")
def move_photos(
    context: typer.Context,
    photos: Photos,
    turtle: Annotated[
        str | None, typer.Option("--to", metavar="TURTLE", help="An id that is there, or new for the next free one.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--to-nobody", help="Nobody knows which turtle they show.")] = False,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Say which turtle photos show."""
    _choose_one(turtle is not None, nobody, "--to", "--to-nobody")
    chosen = numbers_of(context, photos)
    into = None if turtle is None else target_turtle(opened(context), turtle)
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.move_photos(chosen, into))
    tell_of_retired(opened(context), chosen)


@app.command("remove")
def remove_photos(
    context: typer.Context,
    photos: Photos,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Take photos out of every search and count; `restore` brings them back until `turtleidx compact`."""
    chosen = numbers_of(context, photos)
    how = ChangeOptions(dry_run, why, as_json, yes)
    change(context, how, lambda curator: curator.remove_photos(chosen), f"Remove {len(chosen)} photos?")


@app.command("restore")
def restore_photos(
    context: typer.Context,
    photos: Photos,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Bring removed photos back."""
    chosen = numbers_of(context, photos)
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.restore_photos(chosen))


@app.command("side")
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
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Correct which side photos show."""
    _choose_one(side is not None, unknown, "--is", "--unknown")
    chosen = numbers_of(context, photos)
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.set_side(chosen, side))


@app.command("date")
def set_date(
    context: typer.Context,
    photos: Photos,
    day: Annotated[
        dt.date | None,
        typer.Option("--is", parser=options.parsed_day, metavar="DATE", help="The day they were taken, YYYY-MM-DD."),
    ] = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Nobody knows.")] = False,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Correct the day photos were taken; encounters follow unless they are named."""
    _choose_one(day is not None, unknown, "--is", "--unknown")
    chosen = numbers_of(context, photos)
    change(context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.set_date(chosen, day))


@app.command("relocate")
def relocate_photos(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the originals lie now, at any depth.")],
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.NeverAsks = False,
    as_json: options.Json = False,
) -> None:
    """Find originals that were moved, by their bytes, and remember where they lie now."""
    from retrieval.images import find_originals  # loads what reads images

    with printing.progress_bar("looking through files", None) as advance:
        search = find_originals(browser(context).photos(), folder, advance)
    if search.found:
        change(
            context, ChangeOptions(dry_run, why, as_json, yes), lambda curator: curator.relocate_photos(search.found)
        )
    else:
        printing.print_done(ChangeReport(None, ()), dry_run, as_json)
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
