"""`turtleidx`: parse, call, print; nothing else.

Exit codes: 0 done, whatever the verdict; 1 nothing was done, with a sentence on standard error; 2 wrong usage; 3 done,
but some photos were refused, or problems remain; 130 interrupted.

What compares photos is imported by the commands that do, because the others would wait a second for it.
"""

from __future__ import annotations

import datetime as dt
import getpass
import logging
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from index.errors import CatalogMissing, InputError, TurtleidxError, WeightsUnavailable
from index.manifest import RefusedRow, parse_date
from index.records import KeptQuery
from index.types import Side, Sighting
from retrieval import cli_evaluate, cli_registry, console, options
from retrieval.limits import FIT_BUDGET, SHORTLIST
from retrieval.scoring import Score
from retrieval.verdict import Verdict

if TYPE_CHECKING:
    from retrieval.answering import Answer
    from retrieval.instruments import Instruments
    from retrieval.loading import Choices

NOTHING_DONE, SOME_REFUSED, INTERRUPTED = 1, 3, 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli_registry.add_to(app)
cli_evaluate.add_to(app)


@app.callback()
def common(
    context: typer.Context,
    catalog: Annotated[Path, typer.Option(envvar="TURTLEIDX_CATALOG", help="The catalogue's folder.")] = Path(
        "turtles.catalog"
    ),
    who: Annotated[str | None, typer.Option(help="Your name, for the history; else your account's name.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; else a GPU where there is one.")] = None,
) -> None:
    """Photo identification of sea turtles: enroll photos, query photos, decide known or new."""
    context.obj = options.Common(catalog, who or getpass.getuser(), device)


@app.command("init")
def init_command(
    context: typer.Context,
    extractor: options.Extractor = None,
    encoder: Annotated[str, typer.Option(help="vlad (bundled), or timm:MODEL.")] = "vlad",
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
) -> None:
    """Make an empty catalogue."""
    from retrieval.loading import Choices

    common: options.Common = context.obj
    made = _create(
        common, Choices(extractor, encoder, encoder_weights, device=common.device, extractor_weights=extractor_weights)
    )
    console.out.print(f"made {made.path} with {made.recipe.extractor} and {made.recipe.encoder}")


@app.command("enroll")
def enroll_command(
    context: typer.Context,
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos, or folders with a sub-folder a turtle.")] = None,
    turtle: Annotated[str | None, typer.Option(help="The turtle that all these photos show.")] = None,
    manifest: options.Manifest = None,
    role: options.Role = None,
    side: options.SideOfHead = None,
    taken_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD; else from EXIF.")] = None,
    encounter: Annotated[str | None, typer.Option(help="Your name of it; else one a turtle and day.")] = None,
    species: Annotated[str | None, typer.Option()] = None,
    site: Annotated[str | None, typer.Option()] = None,
    observer: Annotated[str | None, typer.Option()] = None,
    latitude: Annotated[float | None, typer.Option(min=-90, max=90)] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180)] = None,
    by_folder: Annotated[bool, typer.Option("--by-folder/--not-by-folder", help="Sub-folders name turtles.")] = True,
    automatic_fit: Annotated[bool, typer.Option("--fit/--no-fit", help="Fit the model when that is due.")] = True,
    extractor: options.Extractor = None,
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
) -> None:
    """Add photos to the gallery; what is there already stays as it is."""
    from retrieval.intake import count_photos, from_manifest, from_paths
    from retrieval.loading import NEAREST, Choices, load_instruments
    from retrieval.pipeline import enroll

    common: options.Common = context.obj
    if bool(photos) == (manifest is not None):
        raise typer.BadParameter("name photos and folders, or a manifest with --manifest.")
    day = _day(taken_on)
    known = Sighting("", turtle, side, day, encounter, species, site, observer, latitude, longitude)
    choices = Choices(extractor, None, encoder_weights, device=common.device, extractor_weights=extractor_weights)
    catalog = _open_or_create(common, choices)
    instruments = load_instruments(replace(choices, matcher=NEAREST), catalog.recipe)
    sightings = from_manifest(manifest, role or [], known) if manifest else from_paths(photos or [], known, by_folder)
    total = None if manifest else count_photos(photos or [])
    with console.progress_bar("enrolling", total) as advance:
        report = enroll(catalog, sightings, instruments, common.who, advance)
    console.print_enrolment(report)
    if not report.enrolled and not report.already_there:
        if not report.refused:
            raise InputError("There was no photo to enroll.")
        raise typer.Exit(NOTHING_DONE)
    if automatic_fit:
        _fit_if_due(catalog, instruments, choices, common.who)
    if report.refused:
        raise typer.Exit(SOME_REFUSED)


@app.command("fit")
def fit_command(
    context: typer.Context,
    budget: Annotated[int, typer.Option(min=1, help="Photo pairs to compare at most; cached ones are free.")] = (
        10 * FIT_BUDGET
    ),
    seed: Annotated[int, typer.Option(help="Of the random sub-galleries and bootstraps.")] = 0,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
) -> None:
    """Learn from the catalogue's own photos how right and wrong turtles score."""
    from retrieval.loading import Choices, load_instruments

    common: options.Common = context.obj
    catalog = Catalog.open(common.catalog)
    choices = Choices(None, None, encoder_weights, matcher, verify, common.device, score, shortlist, extractor_weights)
    _fit(catalog, load_instruments(choices, catalog.recipe), common.who, budget, seed)


@app.command("query")
def query_command(
    context: typer.Context,
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos, or folders of photos.")] = None,
    manifest: options.Manifest = None,
    role: options.Role = None,
    side: Annotated[Side | None, typer.Option(help="Search this side's gallery only; else all of it.")] = None,
    encounter: Annotated[
        bool, typer.Option("--encounter", help="One verdict for all photos, or for a manifest's rows of one encounter.")
    ] = False,
    left: Annotated[list[Path] | None, typer.Option(help="A photo of the left side; repeatable.")] = None,
    right: Annotated[list[Path] | None, typer.Option(help="A photo of the right side; repeatable.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Turtles to show.")] = 5,
    as_json: options.Json = False,
    plot: Annotated[Path | None, typer.Option(help="Match picture of a photo; a folder for several.")] = None,
    enroll_new: Annotated[bool, typer.Option("--enroll-new", help="Enroll NEW photos under the next free id.")] = False,
    confirm: Annotated[str | None, typer.Option(metavar="TURTLE", help="Enroll the photo as this turtle.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep query and evidence, for `turtleidx decide`.")] = False,
    prior_new: Annotated[float, typer.Option(min=0.001, max=0.999, help="P(new) before looking.")] = 0.5,
    false_known: options.Rate = 0.01,
    misidentified: options.Rate = 0.01,
    false_new: options.Rate = 0.05,
    matcher: options.Matcher = None,
    verify: options.Verify = True,
    score: options.ScoreRecipe = Score.WASSERSTEIN,
    shortlist: options.ShortlistLength = SHORTLIST,
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
) -> None:
    """Which enrolled turtle does a photo show, or is it new?"""
    from retrieval.answering import Wishes, answer
    from retrieval.cli_together import query_encounters, warn_of_drift
    from retrieval.conformal import Rates
    from retrieval.intake import questions
    from retrieval.keeping import keep as keep_query
    from retrieval.loading import Choices, load_instruments
    from retrieval.pipeline import Terms
    from retrieval.vigilance import remember

    common: options.Common = context.obj
    asked = list(questions(photos or [], manifest, role or [], side))
    for paths, shown in ((left, Side.LEFT), (right, Side.RIGHT)):
        asked += questions(paths or [], None, [], shown)
    if not asked:
        raise InputError("There is no photo to look up: name photos, folders, or a manifest with --manifest.")
    if encounter and (keep or plot):
        raise typer.BadParameter("--keep and --plot go with single photos: leave --encounter out.")
    if confirm and len(asked) > 1 and not (encounter and manifest is None):
        raise typer.BadParameter("--confirm takes one photo, or with --encounter the photos of one turtle.")
    catalog = Catalog.open(common.catalog)
    choices = Choices(None, None, encoder_weights, matcher, verify, common.device, score, shortlist, extractor_weights)
    instruments = load_instruments(choices, catalog.recipe)
    terms = Terms(prior_new, Rates(false_known, misidentified, false_new))
    wishes, refused, found = Wishes(enroll_new, confirm), 0, []
    with catalog.writing("query") if enroll_new or confirm or keep else nullcontext():
        if encounter:
            refused = query_encounters(catalog, asked, instruments, common.who, terms, wishes, top, as_json)
        answers = () if encounter else answer(catalog, asked, instruments, common.who, terms, wishes)
        for number, one in enumerate(answers, start=1):
            found.append(replace(one.identification, candidates=one.identification.candidates[:1], features=None))
            refused += one.identification.verdict is Verdict.REFUSED
            kept = keep_query(catalog, one, instruments, terms, common.who) if keep else None
            _show(one, top, as_json, kept)
            if plot is not None:
                _plot(catalog, one, instruments, plot if len(asked) == 1 else plot / _picture_name(number, one))
        if not encounter:
            remember(catalog, found)
            warn_of_drift(catalog)
    if refused:
        raise typer.Exit(NOTHING_DONE if refused == len(asked) else SOME_REFUSED)


@app.command("weights")
def weights_command(as_json: options.Json = False) -> None:
    """Networks that are bundled or can be downloaded, their licences, and whether they are at hand."""
    from retrieval.learned import list_extractors  # torch takes seconds to import
    from retrieval.pretrained import list_encoders
    from retrieval.weights import list_weights

    console.print_weights([*list_weights(), *list_extractors(), *list_encoders()], as_json)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command: errors become one sentence on standard error and an exit code."""
    logging.captureWarnings(True)  # of image libraries; what matters comes as an error
    try:
        app(arguments)
    except TurtleidxError as error:
        console.say(str(error))
        sys.exit(NOTHING_DONE)
    except OSError as error:
        console.say(f"{error.filename or 'The file'} cannot be used: {error.strerror or error}.")
        sys.exit(NOTHING_DONE)
    except KeyboardInterrupt:
        console.say("Interrupted; what was finished is kept, and the same command continues.")
        sys.exit(INTERRUPTED)


def _open_or_create(common: options.Common, choices: Choices) -> Catalog:
    try:
        return Catalog.open(common.catalog)
    except CatalogMissing:
        made = _create(common, choices)
        console.say(f"Made a new catalogue at {made.path}.")
        return made


def _create(common: options.Common, choices: Choices) -> Catalog:
    from retrieval.loading import NEAREST, licences, load_instruments

    made = Catalog.create(common.catalog, load_instruments(replace(choices, matcher=NEAREST)).recipe)
    for sentence in licences(made.recipe):
        console.say(sentence)
    return made


def _fit_if_due(catalog: Catalog, instruments: Instruments, choices: Choices, who: str) -> None:
    """The photos are enrolled already, so a matcher that is not at hand costs only the model."""
    from retrieval.fitting import fit_is_due
    from retrieval.loading import with_matcher

    try:
        matching = with_matcher(instruments, choices)
    except WeightsUnavailable as error:
        console.say(f"No model was fitted: {error}")
        return
    if fit_is_due(catalog, matching):
        _fit(catalog, matching, who, FIT_BUDGET, 0)


def _fit(catalog: Catalog, instruments: Instruments, who: str, budget: int, seed: int) -> None:
    from retrieval.fitting import fit

    with console.progress_bar("fitting", None) as advance:
        report = fit(catalog, instruments, who, budget, seed, advance)
    console.print_fit(report)


def _day(text: str | None) -> dt.date | None:
    try:
        return parse_date(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _show(one: Answer, top: int, as_json: bool, kept: KeptQuery | None) -> None:
    if not as_json:
        console.print_answer(one, top)
        if kept:
            console.say(f"Kept as query {kept.id}; `turtleidx decide {kept.id}` records a decision.")
        return
    record = console.identification_record(one.identification, top) | {"enrolled_as": one.enrolled_as}
    if kept:
        record["kept_as"] = kept.id
    console.print_json(record | ({"manifest": dict(one.question.columns)} if one.question.columns else {}))


def _plot(catalog: Catalog, one: Answer, instruments: Instruments, target: Path) -> None:
    from retrieval.answering import picture
    from retrieval.images import save

    if isinstance(one.question, RefusedRow):
        return
    pixels = picture(catalog, one.question.sighting, one.identification, instruments.extractor.long_side)
    if pixels is None:
        console.say(f"There is no match to draw for {one.identification.photo}.")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    save(pixels, target)
    console.say(f"Match picture: {target}")


def _picture_name(number: int, one: Answer) -> str:
    return f"{number:04d}-{Path(one.identification.photo).stem}.png"
