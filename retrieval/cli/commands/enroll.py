"""`turtleidx init` and `enroll`: what fills a catalogue."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.catalog import Catalog
from index.errors import CatalogExists, CatalogMissing, InputError
from index.exchange import NearIds, RefusedRow, difference, parse_date
from index.naming import NEXT_FREE, checked_id
from index.types import Sighting
from retrieval.cli import options, printing
from retrieval.cli.commands.fit import fit_if_due, tell_of_undated
from retrieval.cli.common import preparing, tell_of_retired, tell_of_waiting
from retrieval.cli.exit_codes import ExitCode
from retrieval.cli.retelling import foretold, retell, updated
from retrieval.defaults import Heads

if TYPE_CHECKING:
    from retrieval.engine import EngineOptions
    from retrieval.images import Passed


def add_to(app: typer.Typer) -> None:
    """Add these commands to `turtleidx`."""
    app.command("init")(init_command)
    app.command("enroll")(enroll_command)


def init_command(
    context: typer.Context,
    extractor: options.Extractor = None,
    encoder: Annotated[str, typer.Option(help="words or vlad (bundled), or timm:MODEL.")] = "words",
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
    heads: options.HeadsOfPhotos = None,
) -> None:
    """Make an empty catalogue."""
    from retrieval.engine import EngineOptions

    common: options.Common = context.obj
    made = _create(
        common,
        EngineOptions(
            extractor=extractor,
            encoder=encoder,
            encoder_weights=encoder_weights,
            device=common.device,
            extractor_weights=extractor_weights,
        ),
        heads,
    )
    printing.out.print(f"made {made.path} with {made.recipe.extractor} and {made.recipe.encoder}")


def enroll_command(
    context: typer.Context,
    photos: Annotated[list[Path] | None, typer.Argument(help="Photos, or folders with a sub-folder a turtle.")] = None,
    turtle: Annotated[str | None, typer.Option(help="The turtle that all these photos show.")] = None,
    manifest: options.Manifest = None,
    role: options.Role = None,
    dates: options.Dates = None,
    new_ids: options.NewIds = False,
    side: options.SideOfHead = None,
    taken_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD; else from EXIF.")] = None,
    encounter: Annotated[str | None, typer.Option(help="Your name of it; else one a turtle and day.")] = None,
    species: Annotated[str | None, typer.Option()] = None,
    site: Annotated[str | None, typer.Option()] = None,
    observer: Annotated[str | None, typer.Option()] = None,
    latitude: Annotated[float | None, typer.Option(min=-90, max=90)] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180)] = None,
    by_folder: Annotated[bool, typer.Option("--by-folder/--not-by-folder", help="Sub-folders name turtles.")] = True,
    encounters_by: Annotated[
        options.EncountersBy | None, typer.Option(help="How undated photos are told apart into encounters.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Take over what is said of photos that are there already.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only show what would be enrolled; nothing is written.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: one JSON object a photo.")] = False,
    automatic_fit: Annotated[bool, typer.Option("--fit/--no-fit", help="Fit the model when that is due.")] = True,
    extractor: options.Extractor = None,
    extractor_weights: options.ExtractorWeights = None,
    encoder_weights: options.EncoderWeights = None,
    heads: options.HeadsOfPhotos = None,
    head_finder: options.HeadFinder = None,
    masks: options.Masks = None,
    cluster: options.Cluster = None,
) -> None:
    """Add photos to the gallery; what is there already stays as it is, unless --update is given."""
    from retrieval.images import (
        Passed,
        count_photos,
        from_manifest,
        from_paths,
        silent,
        why_none,
        without_lookalikes,
    )

    common: options.Common = context.obj
    if bool(photos) == (manifest is not None):
        raise typer.BadParameter("name photos and folders, or a manifest with --manifest.")
    if role and manifest is None:
        raise typer.BadParameter("--role chooses among the rows of a manifest: give one with --manifest.")
    if as_json and not check:
        raise typer.BadParameter("--json goes with --check.")
    if turtle is not None:
        turtle = turtle if turtle.lower() == NEXT_FREE else checked_id(turtle)
    day = _day(taken_on)
    known = Sighting("", turtle, side, day, encounter, species, site, observer, latitude, longitude)
    passed = Passed()

    def brought(told: Sighting, passed: Passed, tell: Callable[[str], None]) -> Iterator[Sighting | RefusedRow]:
        if manifest:
            return from_manifest(manifest, role or [], told, dates, tell)
        return from_paths(photos or [], told, by_folder, passed)

    def rows(catalog: Catalog | None) -> Iterator[Sighting | RefusedRow]:
        next_free = turtle is not None and turtle.lower() == NEXT_FREE
        told = replace(known, turtle="T001" if catalog is None else catalog.next_turtle_id()) if next_free else known
        every = brought(told, passed, printing.say)
        return without_lookalikes(every, NearIds.of(catalog), _ask_about_ids(new_ids, asking=not check))

    if check:
        if not _show_foreseen(common, rows, passed, as_json, update):
            raise InputError(why_none(manifest, role or []) if manifest else "There was no photo to enroll.")
        return
    from retrieval.engine import NEAREST, Engine, EngineOptions
    from retrieval.pipeline import (
        NO_MASKS,
        OWN,
        enroll,
        finder_of,
        masks_of,
        next_for_catalog,
        own_finder,
        remember_finder,
        remember_heads,
        remember_masks,
        remembered_heads,
    )

    choices = EngineOptions(
        extractor=extractor,
        encoder_weights=encoder_weights,
        device=common.device,
        extractor_weights=extractor_weights,
    )
    catalog = _open_or_create(common, choices, lambda: _require_one(brought(known, Passed(), silent)), heads)
    wanted = own_finder(catalog) if head_finder == OWN else head_finder or finder_of(catalog)
    segmenter = None if masks == NO_MASKS else masks or masks_of(catalog)
    choices = replace(choices, heads=heads or remembered_heads(catalog), head_finder=wanted, masks=segmenter)
    reading = replace(choices, matcher=NEAREST)
    engine = Engine.load(catalog.recipe, reading)
    if heads is not None:
        remember_heads(catalog, heads, common.who)
    if head_finder is not None:
        remember_finder(catalog, head_finder, common.who)
    if masks is not None:
        remember_masks(catalog, masks, common.who)
    total = None if manifest else count_photos(photos or [])
    heard: list[Sighting] = []
    with preparing(cluster, catalog.recipe, reading) as prepare, printing.progress_bar("enrolling", total) as advance:
        every = updated(catalog, rows(catalog), common.who) if update else rows(catalog)
        report = enroll(catalog, _noting(every, heard), engine, common.who, advance, encounters_by, prepare)
    for sentence in passed.sentences():
        printing.say(sentence)
    printing.print_enrolment(report)
    tell_of_waiting(catalog, report.enrolled)
    tell_of_retired(catalog, report.enrolled)
    if report.already_there or report.refused:
        retell(catalog, heard)
    if not report.enrolled and not report.already_there:
        if not report.refused:
            raise InputError(why_none(manifest, role or []) if manifest else "There was no photo to enroll.")
        raise typer.Exit(ExitCode.NOTHING_DONE)
    fitted = automatic_fit and fit_if_due(catalog, engine, choices, common.who, cluster)
    if report.enrolled and not fitted:
        tell_of_undated(catalog)
    printing.say(f"next: {next_for_catalog(catalog)}")
    if report.refused:
        raise typer.Exit(ExitCode.SOME_REFUSED)


def _noting(rows: Iterable[Sighting | RefusedRow], heard: list[Sighting]) -> Iterator[Sighting | RefusedRow]:
    """The rows, of which the usable ones are noted as they pass."""
    for row in rows:
        if isinstance(row, Sighting):
            heard.append(row)
        yield row


def _show_foreseen(
    common: options.Common,
    rows: Callable[[Catalog | None], Iterator[Sighting | RefusedRow]],
    passed: Passed,
    as_json: bool,
    update: bool,
) -> int:
    """What enrolling would do with each photo; gives how many there are."""
    from retrieval.pipeline import Outcome, foresee

    try:
        catalog = Catalog.open(common.catalog)
    except CatalogMissing:
        catalog = None
    every = list(rows(catalog))
    found = list(foresee(catalog, every, foretold(catalog, every) if update and catalog is not None else ()))
    for sentence in passed.sentences():
        printing.say(sentence)
    printing.print_foreseen(found, as_json)
    refused = sum(one.outcome is Outcome.REFUSED for one in found)
    if refused:
        raise typer.Exit(ExitCode.NOTHING_DONE if refused == len(found) else ExitCode.SOME_REFUSED)
    return len(found)


def _ask_about_ids(new_ids: bool, *, asking: bool) -> Callable[[str, str], str | None]:
    """Whoever sits there is asked about ids that look alike; a script has to say so beforehand."""

    def ask(name: str, known: str) -> str | None:
        if new_ids:
            printing.say(
                f"{name} is a new turtle beside {known}, from which it differs only in {difference(name, known)}."
            )
            return name
        if not asking or not sys.stdin.isatty():
            return None
        question = (
            f"Turtle {name} would be new and looks like {known}. Is it {known} (k), another turtle (n), or skip (s)?"
        )
        return {"k": known, "n": name}.get(typer.prompt(question, default="s", err=True).strip().lower()[:1])

    return ask


def _require_one(rows: Iterable[Sighting | RefusedRow]) -> None:
    """Raises InputError unless there is a file to enroll: an empty folder makes no catalogue."""
    reasons = []
    for row in rows:
        if isinstance(row, Sighting) and Path(row.path).is_file():
            return
        reasons.append(row.reason if isinstance(row, RefusedRow) else f"There is no file {row.path}.")
    others = f" {len(reasons) - 1} others cannot be used either." if len(reasons) > 1 else ""
    first = reasons[0] if reasons else "There was no photo to enroll."
    raise InputError(f"{first}{others} No catalogue was made.")


def _open_or_create(
    common: options.Common, choices: EngineOptions, require: Callable[[], None], heads: Heads | None
) -> Catalog:
    """The catalogue; a new one where there is none and `require` raises nothing."""
    try:
        return Catalog.open(common.catalog)
    except CatalogMissing:
        require()
        try:
            made = _create(common, choices, heads)
        except CatalogExists as exists:
            with contextlib.suppress(CatalogMissing):  # another process was quicker
                return Catalog.open(common.catalog)
            raise exists from None
        printing.say(f"Made a new catalogue at {made.path}.")
        return made


def _create(common: options.Common, choices: EngineOptions, heads: Heads | None) -> Catalog:
    from retrieval.engine import NEAREST, Engine, licences
    from retrieval.pipeline import remember_heads

    # the finder is loaded too, so that a catalogue is not made which could not use it
    loaded = Engine.load(options=replace(choices, matcher=NEAREST, heads=heads or Heads.WHOLE))
    made = Catalog.create(common.catalog, loaded.recipe)
    if heads is not None:
        remember_heads(made, heads, common.who)
    for sentence in licences(made.recipe):
        printing.say(sentence)
    return made


def _day(text: str | None) -> dt.date | None:
    try:
        return parse_date(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
