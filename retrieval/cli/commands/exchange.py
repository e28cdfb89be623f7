"""`turtleidx export`, `import` and `join`: catalogues and colleagues."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Browser, Catalog
from index.errors import InputError, RecipeMismatch, WeightsUnavailable
from index.exchange import (
    JoinReport,
    NameConflict,
    Period,
    SharedPhotos,
    capture_histories,
    export_darwin_core,
    export_table,
    import_table,
    is_export,
    is_histories,
    is_own_archive,
    join,
    write_histories,
    years,
)
from index.files import refuse_foreign
from index.types import Side
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import opened

if TYPE_CHECKING:
    from retrieval.review import SameId

SOME_MISSING = 3
TABLES = (".csv", ".parquet")


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("export")(export_command)
    app.command("import")(import_command)
    app.command("join")(join_command)


def export_command(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A row a photo: a .csv or .parquet file.")] = None,
    darwin_core: Annotated[Path | None, typer.Option(help="A Darwin Core archive: a .zip file.")] = None,
    title: Annotated[
        str, typer.Option(help="Of the Darwin Core data set.")
    ] = "Sea turtles identified from photographs",
    histories: Annotated[
        Path | None, typer.Option("--capture-histories", help="Who was seen in which year: a .csv file.")
    ] = None,
    first_year: Annotated[int | None, typer.Option(min=1, max=9999, help="Of the histories; else the first.")] = None,
    last_year: Annotated[int | None, typer.Option(min=1, max=9999, help="Of the histories; else the last.")] = None,
    side: Annotated[
        Side | None,
        typer.Option(
            parser=options.parsed_side, metavar=options.SIDES, help="Histories from photos of this side only."
        ),
    ] = None,
    as_of: options.AsOf = None,
    exact_locations: options.ExactLocations = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Write tables for colleagues and their programs; importing a photo table loses nothing of it.

    An earlier export of the same kind is replaced, any other file only with --overwrite.
    """
    if file is None and darwin_core is None and histories is None:
        raise typer.BadParameter("name a file, --darwin-core or --capture-histories.")
    if file is not None and file.suffix.lower() not in TABLES:
        raise typer.BadParameter(f"{file.name} ends in none of {', '.join(TABLES)}.")
    if as_of is not None and (darwin_core is not None or histories is not None):
        raise typer.BadParameter("--as-of goes with a .csv or .parquet file only.")
    if file is not None and histories is not None and file.absolute() == histories.absolute():
        raise typer.BadParameter("name two files for two tables.")
    catalog = opened(context)
    if file is not None:
        refuse_foreign(file, "an export", partial(is_export, catalog), overwrite=overwrite)
    if darwin_core is not None:
        refuse_foreign(darwin_core, "a Darwin Core archive", is_own_archive, overwrite=overwrite)
    if histories is not None:
        refuse_foreign(histories, "a table of capture histories", is_histories, overwrite=overwrite)
    if file is not None:
        rows = export_table(catalog, file, exact_locations=exact_locations, as_of=as_of)
        printing.out.print(f"{rows} photos: {file}", markup=False)
    if darwin_core is not None:
        occurrences = export_darwin_core(catalog, darwin_core, title, exact_locations=exact_locations)
        printing.out.print(f"{occurrences} occurrences: {darwin_core}", markup=False)
    if histories is not None:
        made = capture_histories(catalog, _periods(catalog, first_year, last_year), side)
        write_histories(made, histories)
        printing.out.print(f"{len(made.turtles)} turtles, {len(made.periods)} years: {histories}", markup=False)


def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A table as `turtleidx export` writes it: .csv, .xlsx or .parquet.")],
    why: options.Why = "",
    dates: options.Dates = None,
    new_ids: options.NewIds = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Set what a table says about photos of the catalogue; exit code 3 when some of its rows cannot be used.

    A row names its photo by sha256. Columns are those of a manifest: others are kept as notes, photo and role are not
    read.
    """
    common: options.Common = context.obj
    report = import_table(opened(context), file, common.who, why, dry_run=dry_run, dates=dates, new_ids=new_ids)
    for sentence in report.remarks:
        printing.say(sentence)
    if as_json:
        record = {"updated": report.updated, "unchanged": report.unchanged, "missing": report.missing}
        refused = [{"line": row.number, "reason": row.reason} for row in report.refused]
        printing.print_json({"dry_run": dry_run, **record, "refused": refused, "noted": report.noted})
    else:
        would = " would be" if dry_run else ""
        printing.out.print(f"{report.updated} photos{would} updated, {report.unchanged} unchanged")
    for row in report.refused:
        printing.say(f"refused: {row.reason}")
    if report.noted:
        would = " would be" if dry_run else " are"
        printing.say(f"Columns that{would} kept as notes: {', '.join(report.noted)}.")
    if report.missing:
        printing.say(
            f"{len(report.missing)} photos of the table are not in the catalogue, {report.missing[0][:12]}… for one: "
            "enroll their files to get them."
        )
    if report.missing or report.refused:
        raise typer.Exit(SOME_MISSING)


def join_command(
    context: typer.Context,
    field_catalogue: Annotated[Path, typer.Argument(help="The catalogue that was in the field.")],
    prefix: Annotated[
        str, typer.Option(help="Before ids that mean other turtles there: KEF- makes KEF-T004 of their T004.")
    ] = "",
    same: Annotated[
        list[str] | None, typer.Option("--same", metavar="TURTLE", help="This id is one turtle in both; repeatable.")
    ] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    matcher: options.Matcher = None,
) -> None:
    """Add the photos and turtles of a field copy; differences are shown, and this catalogue keeps what it has.

    An id that both use without a photo in common is not taken for one turtle: its photos stay out (exit code 3) until
    --prefix or --same says what they are.
    """
    common: options.Common = context.obj
    main, field = opened(context), Catalog.open(field_catalogue)
    report = join(main, field, common.who, prefix=prefix, same=same or (), dry_run=dry_run)
    likenesses = _likenesses(main, field, report, matcher, common.device)
    if as_json:
        printing.print_json({"dry_run": dry_run, **schemas.join_record(report, likenesses)})
    else:
        printing.print_join(report, dry_run)
    _tell_of_names(report, likenesses, field_catalogue)
    if report.conflicts:
        raise typer.Exit(SOME_MISSING)


def _likenesses(
    main: Catalog, field: Catalog, report: JoinReport, matcher: str | None, device: str | None
) -> dict[str, SameId]:
    """How alike the photos under each id in conflict are; empty where the matcher is not at hand."""
    if not report.conflicts:
        return {}
    from retrieval.engine import Engine, EngineOptions  # what compares photos takes a second to import
    from retrieval.review import same_ids

    try:
        engine = Engine.load(main.recipe, EngineOptions(matcher=matcher, device=device))
        return {one.turtle: one for one in same_ids(main, field, engine, [one.turtle for one in report.conflicts])}
    except (WeightsUnavailable, RecipeMismatch) as error:
        printing.say(f"Their photos were not compared: {error}")
        return {}


def _tell_of_names(report: JoinReport, likenesses: Mapping[str, SameId], there: Path) -> None:
    if report.unread:
        printing.say(
            f"{len(report.unread)} photos of {there} were never read, {report.unread[0]} for one, and do not "
            "join: run `turtleidx reindex` there first."
        )
    for name in report.conflicts:
        printing.say(conflict_sentence(name, likenesses.get(name.turtle)))
    if report.conflicts:
        example = report.conflicts[0].turtle
        stem = there.stem.upper()[:8]
        printing.say(
            f"next: `turtleidx join {there} --prefix {stem}-` brings them as {stem}-{example} and so on; "
            f"`--same {example}` where it is the same turtle."
        )
    for one in report.shared:
        printing.say(shared_sentence(one))


def conflict_sentence(name: NameConflict, likeness: SameId | None) -> str:
    """What is known about an id that two catalogues use."""
    told = (
        f"{name.turtle} is an id in both catalogues without a photo in common: {name.theirs} photos of theirs stay out "
        f"({name.ours} photos are here)."
    )
    if name.belongs_to:
        told += f" Their other photos of it are here as {' and '.join(name.belongs_to)}."
    if likeness is None or likeness.photos is None:
        return f"{told} No two photos could be compared."
    chance = "" if likeness.probability is None else f"P(one turtle) = {likeness.probability:.2f}, "
    theirs, ours = likeness.photos
    return f"{told} {chance}{likeness.matches} matches at best ({theirs.path} with {ours.path})."


def shared_sentence(one: SharedPhotos) -> str:
    """What photos that both catalogues have say about two ids."""
    told = f"{one.photos} photos of their {one.theirs} are here as {one.ours}"
    if one.both_here:
        return f"{told}: one turtle? `turtleidx turtles merge {one.ours} {one.theirs}` if so."
    return f"{told}, and stay so."


def _periods(catalog: Catalog, first: int | None, last: int | None) -> list[Period]:
    seen = [encounter.day.year for encounter in Browser(catalog).encounters() if encounter.day is not None]
    if not seen:
        raise InputError("No encounter has a date, so there are no capture histories.")
    periods = years(first or min(seen), last or max(seen))
    if not periods:
        raise InputError("The last year lies before the first: turn --first-year and --last-year round.")
    return periods
