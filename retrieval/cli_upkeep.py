"""`turtleidx check`, `compact`, `backup` and `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from index import archive, upkeep
from index.browsing import Browser
from index.durable import refuse_foreign
from retrieval import console, options
from retrieval.cli_changes import ask, opened

PROBLEMS_LEFT = 3


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("check")(check_command)
    app.command("compact")(compact_command)
    app.command("backup")(backup_command)
    app.command("restore")(restore_command)


def check_command(context: typer.Context, as_json: options.Json = False) -> None:
    """Compare the three stores, repair what can be repaired; exit code 3 when problems remain."""
    report = upkeep.check(opened(context))
    if as_json:
        console.print_json({"photos": report.photos, "problems": report.problems, "repaired": report.repaired})
    else:
        for sentence in report.repaired:
            console.out.print(f"repaired: {sentence}", markup=False)
        for sentence in report.problems:
            console.out.print(f"problem: {sentence}", markup=False)
        console.out.print(f"{report.photos} photos checked, {len(report.problems)} problems")
    if report.problems:
        raise typer.Exit(PROBLEMS_LEFT)


def compact_command(context: typer.Context, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Delete the bytes of removed photos for good, and give disk space back."""
    catalog = opened(context)
    common: options.Common = context.obj
    removed = len(Browser(catalog).photos(removed=True))
    if removed and not yes:
        ask(f"{removed} photos are removed; after this they can only be enrolled again. Go on?")
    report = upkeep.compact(catalog, common.who)
    if as_json:
        console.print_json(
            {"photos": report.photos, "bytes_before": report.bytes_before, "bytes_after": report.bytes_after}
        )
    else:
        megabytes = [f"{amount / 1e6:.1f} MB" for amount in (report.bytes_before, report.bytes_after)]
        console.out.print(f"{report.photos} removed photos deleted for good; {' before, '.join(megabytes)} now")


def backup_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; an earlier backup is replaced, nothing else.")],
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write the whole catalogue into one file."""
    refuse_foreign(file, "a backup", archive.is_backup, overwrite=overwrite)
    report = archive.backup(opened(context), file)
    if as_json:
        console.print_json({"file": report.path, "bytes": report.bytes, "photos": report.photos})
    else:
        console.out.print(f"{report.photos} photos, {report.bytes / 1e6:.1f} MB: {report.path}", markup=False)


def restore_command(
    file: Annotated[Path, typer.Argument(help="What `turtleidx backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="The new catalogue's folder.")],
) -> None:
    """Unpack a backup into a new catalogue; --catalog is not touched."""
    catalog = archive.restore(file, folder)
    console.out.print(f"restored {catalog.path}", markup=False)
