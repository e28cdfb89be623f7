"""`turtleidx check`, `compact`, `backup`, `restore` and `reindex`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Browser, check_catalog, compact_catalog, is_backup, restore_backup, write_backup
from index.curation import Curator
from index.files import refuse_foreign
from retrieval.cli import options, printing
from retrieval.cli.common import ask, opened
from retrieval.cli.exit_codes import ExitCode
from retrieval.defaults import Heads

if TYPE_CHECKING:
    from retrieval.pipeline import ReindexReport

MOST_NAMED = 20


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("check")(check_command)
    app.command("compact")(compact_command)
    app.command("backup")(backup_command)
    app.command("restore")(restore_command)
    app.command("reindex")(reindex_command)


def check_command(
    context: typer.Context,
    originals: Annotated[
        bool, typer.Option("--originals", help="Read the original files too: are they there, and unchanged?")
    ] = False,
    shards: Annotated[
        Path | None,
        typer.Option("--shards", metavar="FOLDER", help="Check what `turtleidx shard` made instead of the catalogue."),
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="With --shards: make again what is wrong.")] = False,
    as_json: options.Json = False,
) -> None:
    """Compare the three stores, repair what can be repaired; exit code 3 when problems remain."""
    if repair and shards is None:
        raise typer.BadParameter("--repair goes with --shards; the catalogue is repaired anyway.")
    if shards is not None:
        _check_shards(context, shards, repair, as_json)
        return
    from retrieval.pipeline import mark_alike, outdated

    catalog = opened(context)
    with printing.progress_bar("reading originals", None) if originals else nullcontext() as advance:
        report = check_catalog(catalog, originals=originals, progress=advance)
    earlier = outdated(catalog)
    mark_alike(catalog, earlier)
    report = replace(report, problems=(*report.problems, *earlier.sentences()))
    if as_json:
        record = {
            "photos": report.photos,
            "problems": report.problems,
            "repaired": report.repaired,
            "page": report.page,
        }
        files = report.originals
        lost = {} if files is None else {"missing": files.missing, "changed": files.changed}
        printing.print_json(record | ({"originals": lost} if files else {}))
    else:
        for sentence in report.repaired:
            printing.out.print(f"repaired: {sentence}", markup=False)
        for sentence in report.problems:
            printing.out.print(f"problem: {sentence}", markup=False)
        for sentence in report.page:
            printing.out.print(sentence, markup=False)
        looked_at = "" if originals else "; --originals looks for their files too"
        printing.out.print(f"{report.photos} photos checked, {len(report.problems)} problems{looked_at}")
    if report.problems:
        raise typer.Exit(ExitCode.SOME_REFUSED)


def _check_shards(context: typer.Context, folder: Path, repair: bool, as_json: bool) -> None:
    from index.shards import check_shards  # faiss takes half a second to import

    report = check_shards(opened(context), folder, repair=repair)
    if as_json:
        printing.print_json(
            {
                "photos": report.photos,
                "problems": report.problems,
                "repaired": report.repaired,
                "shards": report.shards,
            }
        )
    else:
        for sentence in report.repaired:
            printing.out.print(f"repaired: {sentence}", markup=False)
        for sentence in report.problems:
            printing.out.print(f"problem: {sentence}", markup=False)
        hint = "" if repair or not report.problems else "; --repair makes again what is wrong"
        printing.out.print(
            f"{report.photos} photos in {report.shards} shards checked, {len(report.problems)} problems{hint}"
        )
    if report.problems:
        raise typer.Exit(ExitCode.SOME_REFUSED)


def compact_command(context: typer.Context, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Delete the bytes of removed photos for good, and give disk space back."""
    catalog = opened(context)
    common: options.Common = context.obj
    removed = len(Browser(catalog).photos(removed=True))
    if removed and not yes:
        ask(f"{removed} photos are removed; after this they can only be enrolled again. Go on?")
    report = compact_catalog(catalog, common.who)
    if as_json:
        printing.print_json(
            {"photos": report.photos, "bytes_before": report.bytes_before, "bytes_after": report.bytes_after}
        )
    else:
        megabytes = [f"{amount / 1e6:.1f} MB" for amount in (report.bytes_before, report.bytes_after)]
        printing.out.print(f"{report.photos} removed photos deleted for good; {' before, '.join(megabytes)} now")


def backup_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; an earlier backup is replaced, nothing else.")],
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write the whole catalogue into one file."""
    refuse_foreign(file, "a backup", is_backup, overwrite=overwrite)
    report = write_backup(opened(context), file)
    if as_json:
        printing.print_json({"file": report.path, "bytes": report.bytes, "photos": report.photos})
    else:
        printing.out.print(f"{report.photos} photos, {report.bytes / 1e6:.1f} MB: {report.path}", markup=False)


def restore_command(
    file: Annotated[Path, typer.Argument(help="What `turtleidx backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="The new catalogue's folder.")],
) -> None:
    """Unpack a backup into a new catalogue; --catalog is not touched."""
    catalog = restore_backup(file, folder)
    printing.out.print(f"restored {catalog.path}", markup=False)


def reindex_command(
    context: typer.Context,
    extractor: options.Extractor = None,
    encoder: Annotated[str | None, typer.Option(help="As for `turtleidx init`; else the catalogue's own.")] = None,
    encoder_weights: options.EncoderWeights = None,
    extractor_weights: options.ExtractorWeights = None,
    heads: options.HeadsOfPhotos = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Read the originals again: with another extractor or encoder, or where records are missing or damaged."""
    from retrieval.engine import NEAREST, Engine, EngineOptions  # takes a second to import
    from retrieval.pipeline import (
        find_heads,
        finder_of,
        foresee_reindex,
        lost_originals,
        masks_of,
        reindex,
        remember_heads,
    )

    common: options.Common = context.obj
    catalog = opened(context)
    device = common.device
    choices = EngineOptions(
        extractor=extractor,
        encoder=encoder,
        encoder_weights=encoder_weights,
        matcher=NEAREST,
        device=device,
        extractor_weights=extractor_weights,
        masks=masks_of(catalog),
    )
    engine = Engine.load(catalog.recipe, choices)
    locator = None
    if heads is Heads.AUTO:  # before anything is changed, in case its weights are not there
        locator = Engine.load(catalog.recipe, replace(choices, heads=heads, head_finder=finder_of(catalog))).locator
    if dry_run:
        foreseen = foresee_reindex(catalog, engine)
        _tell(foreseen, dry_run, as_json)
        printing.say(f"{len(foreseen.refused)} originals are not there; nothing was changed.")
        return
    lost = lost_originals(catalog, engine)
    if lost and not yes:
        _name([one.reason for one in lost])
        ask(f"{len(lost)} originals are not there; their photos cannot be searched after this. Go on?")
    with printing.progress_bar("reading", None) as advance:
        report = reindex(catalog, engine, common.who, why, advance)
    if heads is not None:
        remember_heads(catalog, heads, common.who)
    if locator is not None:
        with printing.progress_bar("looking for heads", None) as advance:
            by = Curator(catalog, common.who, why)
            looked = find_heads(catalog, replace(engine, locator=locator), by, advance)
        printing.say(
            f"{looked.found} heads found; {looked.waiting} photos wait for their head box; {looked.untouched} are "
            "heads that were cut out already."
        )
        report = replace(report, refused=(*report.refused, *looked.refused))
    _tell(report, dry_run, as_json)
    if report.refused:
        raise typer.Exit(ExitCode.SOME_REFUSED)


def _tell(report: ReindexReport, dry_run: bool, as_json: bool) -> None:
    """What was read again, or would be."""
    made_with = {"extractor": report.recipe.extractor, "encoder": report.recipe.encoder}
    if as_json:
        refused = [{"photo": one.path, "reason": one.reason} for one in report.refused]
        printing.print_json({"read": report.read, "refused": refused, **made_with, "dry_run": dry_run})
        return
    _name([one.reason for one in report.refused])
    printing.out.print(
        f"{report.read} photos {'would be ' if dry_run else ''}read again with {' and '.join(made_with.values())}, "
        f"{len(report.refused)} refused"
    )


def _name(reasons: list[str]) -> None:
    for reason in reasons[:MOST_NAMED]:
        printing.say(reason)
    if len(reasons) > MOST_NAMED:
        printing.say(f"and {len(reasons) - MOST_NAMED} more")
