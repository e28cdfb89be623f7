"""`turtleidx query`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from index.errors import InputError
from index.manifest import RefusedRow
from index.naming import checked_id
from index.records import KeptQuery
from index.types import Side
from retrieval import console, options
from retrieval.cli_changes import tell_of_retired
from retrieval.limits import SHORTLIST
from retrieval.scoring import Score
from retrieval.verdict import Verdict

if TYPE_CHECKING:
    from retrieval.answering import Answer
    from retrieval.instruments import Instruments

NOTHING_DONE, SOME_REFUSED = 1, 3


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("query")(query_command)


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
    from retrieval.intake import questions, why_none
    from retrieval.keeping import keep as keep_query
    from retrieval.loading import Choices, load_instruments
    from retrieval.pipeline import Terms
    from retrieval.targets import picture_files
    from retrieval.vigilance import remember

    common: options.Common = context.obj
    if role and manifest is None:
        raise typer.BadParameter("--role chooses among the rows of a manifest: give one with --manifest.")
    asked = list(questions(photos or [], manifest, role or [], side))
    for paths, shown in ((left, Side.LEFT), (right, Side.RIGHT)):
        asked += questions(paths or [], None, [], shown)
    if not asked and manifest is not None:
        raise InputError(why_none(manifest, role or []))
    if not asked:
        raise InputError("There is no photo to look up: name photos, folders, or a manifest with --manifest.")
    if encounter and (keep or plot):
        raise typer.BadParameter("--keep and --plot go with single photos: leave --encounter out.")
    if confirm and len(asked) > 1 and not (encounter and manifest is None):
        raise typer.BadParameter("--confirm takes one photo, or with --encounter the photos of one turtle.")
    if confirm is not None:
        checked_id(confirm)
    catalog = Catalog.open(common.catalog)
    paths_asked = [Path(one.photo if isinstance(one, RefusedRow) else one.sighting.path) for one in asked]
    pictures = [] if plot is None else picture_files(plot, paths_asked, catalog)
    choices = Choices(None, None, encoder_weights, matcher, verify, common.device, score, shortlist, extractor_weights)
    instruments = load_instruments(choices, catalog.recipe)
    terms = Terms(prior_new, Rates(false_known, misidentified, false_new))
    wishes, refused, found = Wishes(enroll_new, confirm), 0, []
    with catalog.writing("query") if enroll_new or confirm or keep else nullcontext():
        if encounter:
            refused = query_encounters(catalog, asked, instruments, common.who, terms, wishes, top, as_json)
        answers = () if encounter else answer(catalog, asked, instruments, common.who, terms, wishes)
        for number, one in enumerate(answers):
            found.append(replace(one.identification, candidates=one.identification.candidates[:1], features=None))
            refused += one.identification.verdict is Verdict.REFUSED
            kept = keep_query(catalog, one, instruments, terms, common.who) if keep else None
            _show(one, top, as_json, kept)
            if one.enrolled_as:
                tell_of_retired(catalog, [photo.id for photo in catalog.enrolled([str(found[-1].sha256)]).values()])
            if pictures:
                _plot(catalog, one, instruments, pictures[number])
        if not encounter:
            remember(catalog, found)
            warn_of_drift(catalog)
    if refused:
        raise typer.Exit(NOTHING_DONE if refused == len(asked) else SOME_REFUSED)


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
