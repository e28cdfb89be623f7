"""`turtleidx query`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from index.curation import RecentScore
from index.errors import InputError
from index.exchange import RefusedRow
from index.naming import checked_id
from index.registry import KeptQuery
from index.types import Side
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import tell_of_retired
from retrieval.cli.exit_codes import ExitCode
from retrieval.cli.printing import print_encounter
from retrieval.defaults import SHORTLIST
from retrieval.schemas import encounter_answer_record
from retrieval.scoring import Score

if TYPE_CHECKING:
    from retrieval.engine import Engine
    from retrieval.images import Question
    from retrieval.novelty import DecisionPolicy
    from retrieval.pipeline import Answer, FollowUp


def add_to(app: typer.Typer) -> None:
    """Add the command to `turtleidx`."""
    app.command("query")(query_command)


def query_command(
    context: typer.Context,
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos, or folders of photos.")] = None,
    manifest: options.Manifest = None,
    role: options.Role = None,
    dates: options.Dates = None,
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
    from retrieval.cli.outputs import picture_files
    from retrieval.engine import Engine, EngineOptions
    from retrieval.images import questions, why_none
    from retrieval.novelty import MODEL, DecisionPolicy, Rates, Verdict
    from retrieval.pipeline import FollowUp, answer, keep as keep_query, recent_score, remember

    common: options.Common = context.obj
    if role and manifest is None:
        raise typer.BadParameter("--role chooses among the rows of a manifest: give one with --manifest.")
    asked = list(questions(photos or [], manifest, role or [], side, dates, printing.say))
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
    choices = EngineOptions(
        matcher=matcher,
        verify=verify,
        score=score,
        shortlist=shortlist,
        device=common.device,
        encoder_weights=encoder_weights,
        extractor_weights=extractor_weights,
    )
    engine = Engine.load(catalog.recipe, choices)
    policy = DecisionPolicy(prior_new, Rates(false_known, misidentified, false_new))
    follow_up, refused, scores = FollowUp(enroll_new, confirm), 0, list[RecentScore | None]()

    def evidence(one: Answer) -> dict[str, object]:
        return schemas.evidence_record(one, engine.evidence, catalog.model(MODEL), policy)

    with catalog.writing("query") if enroll_new or confirm or keep else nullcontext():
        if encounter:
            refused = query_encounters(catalog, asked, engine, common.who, policy, follow_up, top, as_json)
        answers = () if encounter else answer(catalog, asked, engine, common.who, policy, follow_up)
        for number, one in enumerate(answers):
            scores.append(recent_score(one.identification))
            refused += one.identification.verdict is Verdict.REFUSED
            kept = keep_query(catalog, one, evidence(one), common.who) if keep else None
            _show(one, top, as_json, kept)
            if one.enrolled_as:
                digest = str(one.identification.query.sha256)
                tell_of_retired(catalog, [photo.id for photo in catalog.enrolled([digest]).values()])
            if pictures:
                _plot(catalog, one, pictures[number])
        if not encounter:
            remember(catalog, scores)
            warn_of_drift(catalog)
    if refused:
        raise typer.Exit(ExitCode.NOTHING_DONE if refused == len(asked) else ExitCode.SOME_REFUSED)


def _show(one: Answer, top: int, as_json: bool, kept: KeptQuery | None) -> None:
    if not as_json:
        printing.print_answer(one, top)
        if kept:
            printing.say(f"Kept as query {kept.id}; `turtleidx decide {kept.id}` records a decision.")
        return
    record = schemas.identification_record(one.identification, top) | {"enrolled_as": one.enrolled_as}
    if kept:
        record["kept_as"] = kept.id
    printing.print_json(record | ({"manifest": dict(one.question.columns)} if one.question.columns else {}))


def _plot(catalog: Catalog, one: Answer, target: Path) -> None:
    from retrieval.images import save
    from retrieval.pipeline import picture

    if isinstance(one.question, RefusedRow):
        return
    pixels = picture(catalog, one.identification)
    if pixels is None:
        printing.say(f"There is no match to draw for {one.identification.photo}.")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    save(pixels, target)
    printing.say(f"Match picture: {target}")


def query_encounters(
    catalog: Catalog,
    asked: Sequence[Question | RefusedRow],
    engine: Engine,
    who: str,
    policy: DecisionPolicy,
    follow_up: FollowUp,
    top: int,
    as_json: bool,
) -> int:
    """Answer and print encounters; returns how many photos were refused."""
    from retrieval.novelty import Verdict
    from retrieval.pipeline import answer_encounters, by_encounter, recent_score, remember

    refused = 0
    for one in answer_encounters(catalog, by_encounter(asked), engine, who, policy, follow_up):
        refused += sum(photo.verdict is Verdict.REFUSED for photo in one.found.photos)
        if as_json:
            printing.print_json(encounter_answer_record(one, top))
        else:
            print_encounter(one, top)
        if one.enrolled_as:
            digests = [photo.query.sha256 for photo in one.found.photos if photo.query.sha256]
            tell_of_retired(catalog, [photo.id for photo in catalog.enrolled(digests).values()])
        known_by = next((photo.query.sha256 for photo in one.found.photos if photo.query.sha256), None)
        remember(catalog, [recent_score(photo, f"encounter of {known_by}") for photo in one.found.photos])
    warn_of_drift(catalog)
    return refused


def warn_of_drift(catalog: Catalog) -> None:
    """Say on standard error when recent photos no longer score like those that the model was fitted on."""
    from retrieval.pipeline import drift_of

    drift = drift_of(catalog)
    if drift is not None and drift.sentence is not None:
        printing.say(drift.sentence)
