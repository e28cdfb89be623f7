"""`turtleidx reindex`."""

from __future__ import annotations

from typing import Annotated

import typer

from retrieval import console, options
from retrieval.cli_changes import ask, opened

SOME_REFUSED = 3
MOST_NAMED = 20


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("reindex")(reindex_command)


def reindex_command(
    context: typer.Context,
    extractor: options.Extractor = None,
    encoder: Annotated[str | None, typer.Option(help="As for `turtleidx init`; else the catalogue's own.")] = None,
    encoder_weights: options.EncoderWeights = None,
    extractor_weights: options.ExtractorWeights = None,
    why: options.Why = "",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Read the originals again: with another extractor or encoder, or where records are missing or damaged."""
    from retrieval.loading import NEAREST, Choices, load_instruments  # takes a second to import
    from retrieval.rereading import lost_originals, reindex

    common: options.Common = context.obj
    catalog = opened(context)
    device = common.device
    choices = Choices(extractor, encoder, encoder_weights, NEAREST, device=device, extractor_weights=extractor_weights)
    instruments = load_instruments(choices, catalog.recipe)
    lost = lost_originals(catalog, instruments)
    if lost and not (dry_run or yes):
        _name([one.reason for one in lost])
        ask(f"{len(lost)} originals are not there; their photos cannot be searched after this. Go on?")
    if dry_run:
        _name([one.reason for one in lost])
        console.say(f"{len(lost)} originals are not there; nothing was changed.")
        return
    with console.progress_bar("reading", None) as advance:
        report = reindex(catalog, instruments, common.who, why, advance)
    refused = [{"photo": one.path, "reason": one.reason} for one in report.refused]
    if as_json:
        made_with = {"extractor": report.recipe.extractor, "encoder": report.recipe.encoder}
        console.print_json({"read": report.read, "refused": refused, **made_with})
    else:
        _name([one.reason for one in report.refused])
        made_with_both = f"{report.recipe.extractor} and {report.recipe.encoder}"
        console.out.print(f"{report.read} photos read again with {made_with_both}, {len(refused)} refused")
    if refused:
        raise typer.Exit(SOME_REFUSED)


def _name(reasons: list[str]) -> None:
    for reason in reasons[:MOST_NAMED]:
        console.say(reason)
    if len(reasons) > MOST_NAMED:
        console.say(f"and {len(reasons) - MOST_NAMED} more")
