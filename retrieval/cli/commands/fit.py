"""`turtleidx fit` and `weights`: what a catalogue learns, and the networks that it learns with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Browser, Catalog
from index.errors import WeightsUnavailable
from retrieval.cli import options, printing
from retrieval.cli.common import opened, pairs_on
from retrieval.defaults import FIT_BUDGET, SHORTLIST, THOROUGH_FIT_BUDGET
from retrieval.scoring import Score

if TYPE_CHECKING:
    from retrieval.engine import Engine, EngineOptions


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("fit")(fit_command)
    app.command("weights")(weights_command)


def fit_command(
    context: typer.Context,
    budget: Annotated[int, typer.Option(min=1, help="Photo pairs to learn from at most.")] = THOROUGH_FIT_BUDGET,
    seed: Annotated[int, typer.Option(help="Of the random sub-galleries and bootstraps.")] = 0,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
    cluster: options.Cluster = None,
) -> None:
    """Learn from the catalogue's own photos how right and wrong turtles score."""
    from retrieval.engine import Engine, EngineOptions

    common: options.Common = context.obj
    catalog = opened(context)
    choices = EngineOptions(
        encoder_weights=encoder_weights,
        matcher=matcher,
        verify=verify,
        device=common.device,
        score=score,
        shortlist=shortlist,
        extractor_weights=extractor_weights,
    )
    from retrieval.pipeline import next_for_catalog

    _fit(catalog, Engine.load(catalog.recipe, choices), common.who, budget, seed, cluster)
    printing.say(f"next: {next_for_catalog(catalog)}")


def weights_command(
    fetch: Annotated[
        tuple[str, str] | None, typer.Argument(metavar="[fetch NAME]", help="Get what NAME needs; aliked: both files.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Networks that are bundled or can be downloaded, their licences, and whether they are at hand."""
    from retrieval.detection import list_finders, list_prompted, list_segmenters
    from retrieval.encoders import list_encoders
    from retrieval.features import list_extractors  # torch takes seconds to import
    from retrieval.matching.lightglue import list_weights

    if fetch is not None:
        if fetch[0] != "fetch":
            raise typer.BadParameter(f"{fetch[0]} is nothing to do with weights: say `turtleidx weights fetch NAME`.")
        from retrieval.engine import fetch_weights

        for path in fetch_weights(fetch[1]):
            printing.out.print(str(path))
        return
    printing.print_weights(
        [*list_weights(), *list_extractors(), *list_finders(), *list_prompted(), *list_segmenters(), *list_encoders()],
        as_json,
    )


def fit_if_due(catalog: Catalog, engine: Engine, choices: EngineOptions, who: str, cluster: str | None = None) -> bool:
    """Whether a fit was tried. The photos are enrolled, so a matcher that is not at hand costs only the model.

    A model that `turtleidx fit` made is not replaced by one that knows less; that a fit is due is said then.
    """
    from retrieval.fitting import fit_is_due, would_learn_less

    try:
        matching = engine.with_matcher(choices)
    except WeightsUnavailable as error:
        printing.say(f"No model was fitted: {error}")
        return False
    if not fit_is_due(catalog, matching):
        return False
    if stays := would_learn_less(catalog, matching, FIT_BUDGET):
        printing.say(stays)
        return False
    _fit(catalog, matching, who, FIT_BUDGET, 0, cluster)
    return True


def _fit(catalog: Catalog, engine: Engine, who: str, budget: int, seed: int, cluster: str | None) -> None:
    from retrieval.fitting import fit

    with pairs_on(cluster) as pool, printing.progress_bar("fitting", None) as advance:
        report = fit(catalog, engine, who, budget, seed, advance, pool)
    printing.print_fit(report)
    tell_of_undated(catalog)


def tell_of_undated(catalog: Catalog) -> None:
    """Say how many undated photos count as one occasion."""
    undated = Browser(catalog).undated()
    if undated.turtles:
        printing.say(undated.sentence)
