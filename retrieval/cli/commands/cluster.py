"""`turtleidx shard` and `serve`: a catalogue on several machines."""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from retrieval.cli import options, printing
from retrieval.cli.common import opened
from retrieval.cli.exit_codes import ExitCode
from retrieval.defaults import SHORTLIST
from retrieval.scoring import Score

if TYPE_CHECKING:  # faiss takes half a second to import
    from index.shards import ShardingReport

MOST_NAMED = 20
TOKEN = "TURTLEIDX_TOKEN"
"""Variable with the token of `serve`, so that it stands in no list of processes."""


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("shard")(shard_command)
    app.command("serve")(serve_command)


def shard_command(
    context: typer.Context,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FOLDER", help="Make shards there, or bring them up to date.")
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Give the catalogue the features back that it has lost."),
    ] = None,
    shards: Annotated[
        int | None, typer.Option("--shards", min=1, max=9999, help="How many; else as many as there are.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Divide the catalogue's features and index into shards of whole turtles, or bring shards up to date."""
    if (into is None) == (from_ is None):
        raise typer.BadParameter("say where shards are to be made with --into, or with --from whence features come.")
    if from_ is not None and shards is not None:
        raise typer.BadParameter("--shards goes with --into.")
    report = _done(opened(context), into, from_, shards)
    for path in report.lacking[:MOST_NAMED]:
        printing.say(f"The features of {path} are nowhere: `turtleidx reindex` reads its original again.")
    if len(report.lacking) > MOST_NAMED:
        printing.say(f"and {len(report.lacking) - MOST_NAMED} more")
    if as_json:
        record = {"photos": list(report.photos), "added": report.added, "removed": report.removed}
        printing.print_json(record | {"lacking": len(report.lacking)})
    elif into is not None:
        printing.out.print(
            f"{sum(report.photos)} photos in {len(report.photos)} shards; {report.added} came in, {report.removed} left"
        )
    else:
        printing.out.print(f"{report.added} photos have their features back")
    if report.lacking:
        raise typer.Exit(ExitCode.SOME_REFUSED)


def _done(catalog: Catalog, into: Path | None, from_: Path | None, shards: int | None) -> ShardingReport:
    from index.shards import restore_features, shard_catalog  # faiss takes half a second to import

    with printing.progress_bar("copying features", None) as advance:
        if into is not None:
            return shard_catalog(catalog, into.absolute(), shards, advance)
        assert from_ is not None
        return restore_features(catalog, from_.absolute(), advance)


def serve_command(
    context: typer.Context,
    shards: Annotated[
        Path, typer.Option("--shards", metavar="FOLDER", help="What `turtleidx shard` made, as all machines see it.")
    ],
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="ADDRESS", help="auto, or where the Ray cluster's head is.")
    ] = "auto",
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines ask.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8410,
    replicas: Annotated[int, typer.Option(min=1, help="Processes that read photos and put answers together.")] = 1,
    at_once: Annotated[int, typer.Option(min=1, help="Requests that a replica works on.")] = 4,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait; more are refused with 503.")] = 64,
    megabytes: Annotated[int, typer.Option(min=1, help="The longest request.")] = 64,
    prior_new: options.PriorNew = "0.5",
    false_known: options.Rate = 0.01,
    misidentified: options.Rate = 0.01,
    false_new: options.Rate = 0.05,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    heads: options.HeadsOfPhotos = None,
) -> None:
    """Answer queries of many users over HTTP from a Ray cluster; Ctrl-C ends it."""
    from retrieval.cluster import require_ray

    require_ray()
    from retrieval.cli.answering import prior_for
    from retrieval.cluster import ServingOptions, serve_gallery
    from retrieval.engine import Engine, EngineOptions
    from retrieval.novelty import DecisionPolicy, Rates
    from retrieval.pipeline import finder_of, remembered_heads

    common: options.Common = context.obj
    catalog = opened(context)
    choices = EngineOptions(
        matcher=matcher,
        verify=verify,
        score=score,
        shortlist=shortlist,
        device=common.device,
        heads=heads or remembered_heads(catalog),
        head_finder=finder_of(catalog),
    )
    engine = Engine.load(catalog.recipe, choices)
    policy = DecisionPolicy(prior_for(catalog, engine, prior_new), Rates(false_known, misidentified, false_new))
    wishes = ServingOptions(host, port, os.environ.get(TOKEN) or token(), replicas, at_once, waiting, megabytes)
    with serve_gallery(catalog, engine, choices, policy, cluster, shards, wishes) as address:
        printing.say(f"Answering at {address}; Ctrl-C ends it.")
        if TOKEN not in os.environ:
            printing.say(f"The token of this run, another one with each (or set {TOKEN}): {wishes.token}")
        threading.Event().wait()


def token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(32)
