"""`turtleidx query`: what may be asked, and how."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import InputError
from index.exchange import DateOrder, RefusedRow
from index.types import Side
from retrieval.cli import options, printing
from retrieval.cli.common import form_of, in_cluster, opened, target_turtle
from retrieval.cli.exit_codes import ExitCode
from retrieval.cli.options import Sorting
from retrieval.defaults import SHORTLIST
from retrieval.scoring import Score

if TYPE_CHECKING:
    from retrieval.images import Question


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("query")(query_command)


def query_command(
    context: typer.Context,
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos, or folders of photos.")] = None,
    manifest: options.Manifest = None,
    role: options.Role = None,
    dates: options.Dates = None,
    side: Annotated[
        Side | None,
        typer.Option(
            parser=options.parsed_side, metavar=options.SIDES, help="Search this side's gallery only; else all of it."
        ),
    ] = None,
    encounter: Annotated[
        bool, typer.Option("--encounter", help="One verdict for all photos, or for a manifest's rows of one encounter.")
    ] = False,
    left: Annotated[list[Path] | None, typer.Option(help="A photo of the left side; repeatable.")] = None,
    right: Annotated[list[Path] | None, typer.Option(help="A photo of the right side; repeatable.")] = None,
    taken_on: Annotated[
        dt.date | None,
        typer.Option(parser=options.parsed_day, metavar="DATE", help="For what is enrolled or kept; else from EXIF."),
    ] = None,
    site: Annotated[str | None, typer.Option(help="For what is enrolled or kept.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Turtles to show.")] = 5,
    full: Annotated[bool, typer.Option("--full", help="All about every photo; else one line each of several.")] = False,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    sort: Annotated[
        Sorting | None, typer.Option(help="Order of the answers, told when all are there; else as they come.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Match picture of a photo; a folder for several.")] = None,
    enroll_new: Annotated[bool, typer.Option("--enroll-new", help="Enroll NEW photos under the next free id.")] = False,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="TURTLE", help="Enroll the photo as this turtle, or as new: under the next free id."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep query and evidence, for `turtleidx decide`.")] = False,
    prior_new: options.PriorNew = "0.5",
    false_known: options.Rate = 0.01,
    misidentified: options.Rate = 0.01,
    false_new: options.Rate = 0.05,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
    heads: options.HeadsOfPhotos = None,
    cluster: options.Cluster = None,
    shards: options.Shards = None,
) -> None:
    """Which enrolled turtle does a photo show, or is it new?"""
    from retrieval.cli.answering import (
        Telling,
        Wishes,
        answered_encounters,
        answered_photos,
        prior_for,
        warn_of_the_model,
    )
    from retrieval.cli.outputs import picture_files
    from retrieval.engine import Engine, EngineOptions  # what compares photos takes a second to import
    from retrieval.novelty import DecisionPolicy, Rates
    from retrieval.pipeline import FollowUp, finder_of, masks_of, remembered_heads

    common: options.Common = context.obj
    options.both_or_none(cluster, shards)
    form = form_of(as_json, as_csv)
    if role and manifest is None:
        raise typer.BadParameter("--role chooses among the rows of a manifest: give one with --manifest.")
    asked = [_known(one, taken_on, site) for one in _asked(photos, manifest, role, side, left, right, dates)]
    if confirm and len(asked) > 1 and not (encounter and manifest is None):
        raise typer.BadParameter("--confirm takes one photo, or with --encounter the photos of one turtle.")
    catalog = opened(context)
    confirmed = None if confirm is None else target_turtle(catalog, confirm)
    paths = [Path(one.photo if isinstance(one, RefusedRow) else one.sighting.path) for one in asked]
    pictures = {} if plot is None else dict(zip(map(id, asked), picture_files(plot, paths, catalog), strict=True))
    choices = EngineOptions(
        matcher=matcher,
        verify=verify,
        score=score,
        shortlist=shortlist,
        device=common.device,
        encoder_weights=encoder_weights,
        extractor_weights=extractor_weights,
        heads=heads or remembered_heads(catalog),
        head_finder=finder_of(catalog),
        masks=masks_of(catalog),
    )
    # nothing to compare: no network is loaded for a mistyped name
    engine = None if all(isinstance(one, RefusedRow) for one in asked) else Engine.load(catalog.recipe, choices)
    if engine is not None and engine.lacking:
        printing.say(engine.lacking)
    prior = 0.5 if engine is None else prior_for(catalog, engine, prior_new)
    wishes = Wishes(
        who=common.who,
        policy=DecisionPolicy(prior, Rates(false_known, misidentified, false_new)),
        follow_up=FollowUp(enroll_new, confirmed),
        keep=keep,
        pictures=pictures,
    )
    telling = Telling(form, top, full or len(asked) == 1, sort)
    with ExitStack() as stack:
        if engine is not None and cluster is not None and shards is not None:
            wishes = replace(wishes, gallery=stack.enter_context(in_cluster(catalog, engine, choices, cluster, shards)))
        if enroll_new or confirm or keep:
            stack.enter_context(catalog.writing("query"))
        answering = answered_encounters if encounter else answered_photos
        refused = telling.tell(answering(catalog, engine, asked, wishes))
        if engine is not None:
            warn_of_the_model(catalog, engine)
    if refused:
        raise typer.Exit(ExitCode.NOTHING_DONE if refused == len(asked) else ExitCode.SOME_REFUSED)


def _asked(
    photos: list[Path] | None,
    manifest: Path | None,
    role: list[str] | None,
    side: Side | None,
    left: list[Path] | None,
    right: list[Path] | None,
    dates: DateOrder | None,
) -> list[Question | RefusedRow]:
    """Everything that is asked about; files that are not there are refused here, before anything is loaded."""
    from retrieval.images import questions, why_none

    asked = list(questions(photos or [], manifest, role or [], side, dates, printing.say))
    for paths, shown in ((left, Side.LEFT), (right, Side.RIGHT)):
        asked += questions(paths or [], None, [], shown)
    if not asked and manifest is not None:
        raise InputError(why_none(manifest, role or []))
    if not asked:
        raise InputError("There is no photo to look up: name photos, folders, or a manifest with --manifest.")
    return [_missed(one) for one in asked]


def _missed(one: Question | RefusedRow) -> Question | RefusedRow:
    if isinstance(one, RefusedRow) or os.path.lexists(one.sighting.path):
        return one
    path = one.sighting.path
    return RefusedRow(0, path, f"There is no file {path}.", one.columns)


def _known(one: Question | RefusedRow, taken_on: dt.date | None, site: str | None) -> Question | RefusedRow:
    if isinstance(one, RefusedRow):
        return one
    known = one.sighting
    return replace(one, sighting=replace(known, taken_on=known.taken_on or taken_on, site=known.site or site))
