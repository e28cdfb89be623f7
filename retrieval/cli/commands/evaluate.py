"""`turtleidx evaluate`: how often the answers are right, on photos of known truth.

What it runs on is imported by the command: it loads scipy's statistics, and a report loads matplotlib.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from index.errors import CatalogMissing, InputError
from index.exchange import parse_date
from retrieval.cli import options, printing
from retrieval.cli.common import opened, pairs_on, preparing
from retrieval.defaults import SHORTLIST
from retrieval.novelty import Rates
from retrieval.scoring import Score

if TYPE_CHECKING:
    from retrieval.engine import Engine, EngineOptions
    from retrieval.evaluation import Comparison, Evaluation, FittedMethod, Method, Protocol
    from retrieval.pipeline import PairPool, Prepare

WORST = 12
"""Errors with a picture in the report."""


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    context: typer.Context,
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV with a column role: gallery, known, new. Without gallery rows, the catalogue is it."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep the gallery's catalogue in; another run then takes a fraction.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="YYYY-MM-DD: ask the catalogue's photos of that day and later, of those before.")
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Queries at most, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of that draw.")] = 0,
    compare: Annotated[
        bool, typer.Option("--compare/--no-compare", help="Judge by other scores and by plain nearest neighbours too.")
    ] = True,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Another matcher, or encoder:NAME, extractor:NAME, system:loftr, loma, wildfusion; repeatable."
        ),
    ] = None,
    as_json: options.Json = False,
    report: Annotated[Path | None, typer.Option(help="Write a page for the browser, as in report.html.")] = None,
    prior_new: Annotated[
        float | None, typer.Option(min=0.001, max=0.999, help="P(new) before looking; else the share that is new.")
    ] = None,
    false_known: options.Rate = 0.01,
    misidentified: options.Rate = 0.01,
    false_new: options.Rate = 0.05,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    encoder_weights: options.EncoderWeights = None,
    cluster: options.Cluster = None,
) -> None:
    """How often are the answers right? On a manifest of known truth, or on the catalogue's own photos."""
    from retrieval.cli.outputs import check_page
    from retrieval.cli.printing import print_evaluation
    from retrieval.evaluation import compare_methods, groups_of, has_gallery, methods_of, stored_methods
    from retrieval.novelty import DecisionPolicy
    from retrieval.schemas import evaluation_record

    common: options.Common = context.obj
    if manifest is not None and since is not None:
        raise typer.BadParameter("--since asks the catalogue's own photos; leave --manifest out.")
    own_gallery = manifest is not None and has_gallery(manifest)
    if keep is not None and not own_gallery:
        raise typer.BadParameter("--keep goes with a manifest that has gallery rows.")
    if report is not None:
        check_page(report)
    from retrieval.engine import NEAREST, Engine, EngineOptions

    choices = EngineOptions(
        encoder_weights=encoder_weights,
        matcher=matcher,
        verify=verify,
        device=common.device,
        score=score,
        shortlist=shortlist,
    )
    scratch = tempfile.TemporaryDirectory(prefix="turtleidx-") if own_gallery and not keep else nullcontext("")
    with scratch as folder, pairs_on(cluster) as pool:
        if manifest is not None and own_gallery:
            catalog = _open_or_create(keep or Path(folder) / "turtles.catalog", choices)
            engine = Engine.load(catalog.recipe, choices)
            among = methods_of(engine, _others(against, choices, engine), compare)
            with preparing(cluster, catalog.recipe, replace(choices, matcher=NEAREST)) as prepare:
                fitted_methods = _enrolled_and_fitted(catalog, manifest, among, common.who, prepare, pool)
        else:
            from retrieval.pipeline import finder_of, masks_of, remembered_heads

            catalog = opened(context)
            choices = replace(choices, heads=remembered_heads(catalog))
            choices = replace(choices, head_finder=finder_of(catalog), masks=masks_of(catalog))
            engine = Engine.load(catalog.recipe, choices)
            fitted_methods = stored_methods(catalog, methods_of(engine, _others(against, choices, engine), compare))
        protocol = _protocol(catalog, manifest, since)
        protocol = protocol.drawn(most, seed) if most else protocol
        if not protocol.queries:
            raise InputError("There is no photo of known truth to ask about" + _why(protocol))
        share = min(max(protocol.share_new, 0.001), 0.999)
        policy = DecisionPolicy(share if prior_new is None else prior_new, Rates(false_known, misidentified, false_new))
        with printing.progress_bar("identifying", len(protocol.queries)) as advance:
            comparison = compare_methods(catalog, protocol, engine, fitted_methods, policy, advance, pool)
        groups = groups_of(comparison, policy.rates)
        if as_json:
            record = evaluation_record(protocol.description, comparison, groups, policy, engine.evidence)
            printing.print_json(record)
        else:
            print_evaluation(protocol.description, comparison, groups, policy)
        if report is not None:
            _write_report(catalog, comparison, groups, engine, report, manifest)


def _protocol(catalog: Catalog, manifest: Path | None, day: str | None) -> Protocol:
    from retrieval.evaluation import from_rows, leave_one_out, since

    if manifest is not None:
        return from_rows(catalog, manifest)
    if day is None:
        return leave_one_out(catalog)
    try:
        return since(catalog, parse_date(day))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _others(names: list[str] | None, choices: EngineOptions, engine: Engine) -> list[Method]:
    from retrieval.evaluation import Method

    chosen = [(name, replace(choices, matcher=name.removeprefix("system:"))) for name in names or []]
    return [Method(name, engine.with_matcher(one)) for name, one in chosen]


def _enrolled_and_fitted(
    catalog: Catalog,
    manifest: Path,
    among: Sequence[Method],
    who: str,
    prepare: Prepare,
    pool: PairPool | None,
) -> list[FittedMethod]:
    from retrieval.evaluation import enroll_gallery, fit_methods

    with printing.progress_bar("enrolling", None) as advance:
        enrolled = enroll_gallery(catalog, manifest, among[0].engine, who, advance, prepare)
    for refusal in enrolled.refused:
        printing.say(f"not in the gallery: {refusal.reason}")
    with printing.progress_bar("fitting", None) as advance_fit:
        return fit_methods(catalog, among, who, advance_fit, pool)


def _write_report(
    catalog: Catalog,
    comparison: Comparison,
    groups: tuple[Evaluation, ...],
    engine: Engine,
    target: Path,
    manifest: Path | None,
) -> None:
    from retrieval.evaluation import Material, WorstError, picture, worst_errors, write_report

    worst = worst_errors(comparison.methods[0].outcomes, WORST)
    errors = tuple(WorstError(one, picture(catalog, comparison.answer_of(one), engine)) for one in worst)
    title = f"How well are the turtles of {(manifest or catalog.path).name} identified?"
    material = Material(title, comparison.methods, groups, comparison.matching, comparison.different, errors)
    try:
        target.write_text(write_report(material), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The report cannot be written to {target} ({error.strerror}).") from error
    printing.say(f"Report: {target}")


def _open_or_create(path: Path, choices: EngineOptions) -> Catalog:
    try:
        return Catalog.open(path)
    except CatalogMissing:
        from retrieval.engine import Engine

        return Catalog.create(path, Engine.load(options=replace(choices, matcher="nearest")).recipe)


def _why(protocol: Protocol) -> str:
    return f": {protocol.left_out[0].reason}" if protocol.left_out else "."
