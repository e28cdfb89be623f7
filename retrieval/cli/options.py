"""Options that several commands share; shares the door to typer with `retrieval.cli`."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from index.exchange import DateOrder, parse_date, parse_side
from index.types import HeadBox, Side
from retrieval.defaults import EncountersBy as EncountersBy, Heads as Heads
from retrieval.scoring import Score


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for every command."""

    catalog: Path
    who: str
    device: str | None


def parsed_day(text: str) -> dt.date:
    """A day as it is typed."""
    try:
        return parse_date(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


AUTO = "auto"
"""A prior that is learnt from the latest queries."""


def parsed_prior(text: str) -> str:
    """A probability, or `AUTO`."""
    if text == AUTO:
        return text
    try:
        inside = 0.001 <= float(text) <= 0.999
    except ValueError:
        inside = False
    if not inside:
        raise typer.BadParameter(f"{text} is neither a probability between 0.001 and 0.999 nor {AUTO}.")
    return text


def parsed_moment(text: str) -> dt.date:
    """A day, or a moment of it (ISO 8601; local time unless it says otherwise)."""
    try:
        return parse_date(text) if len(text) <= len("2026-01-31") else dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} is neither a day (2026-01-31) nor a moment (2026-01-31T14:30).") from error


def parsed_side(text: str) -> Side:
    """A side by its name or first letter, in any case."""
    try:
        return parse_side(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or their first letters.") from error


def parsed_box(text: str) -> HeadBox:
    """A head box as it is typed: x, y, width and height in pixels."""
    try:
        x, y, w, h = (float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise typer.BadParameter(f"{text} is not four numbers: x,y,w,h in pixels of the upright photo.") from error
    if not (math.isfinite(x + y) and 0 < w < math.inf and 0 < h < math.inf):
        raise typer.BadParameter(f"{text} has no width and height above zero.")
    return HeadBox(x, y, w, h)


Matcher = Annotated[
    str | None,
    typer.Option(
        help="nearest, or LightGlue weights (a name that `turtleidx weights` lists, or a file), or these with +nearest."
    ),
]
Verify = Annotated[bool, typer.Option("--verify/--no-verify", help="Drop matches that no affine map explains.")]
ScoreRecipe = Annotated[Score, typer.Option("--score", help="How a pair's confidences become one number.")]
ShortlistLength = Annotated[int, typer.Option("--shortlist", min=1, help="Gallery photos that are matched.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output, nothing else there.")]
Role = Annotated[list[str] | None, typer.Option("--role", help="Rows of the manifest with this role; repeatable.")]
Manifest = Annotated[Path | None, typer.Option(help="CSV or .xlsx with a column photo; paths relative to it.")]
Dates = Annotated[DateOrder | None, typer.Option("--dates", help="Dates of the table: day or month first.")]
NewIds = Annotated[bool, typer.Option("--new-ids", help="Ids that look like known ones are other turtles.")]


Cluster = Annotated[
    str | None, typer.Option("--cluster", metavar="ADDRESS", help="Work on a Ray cluster: auto, or where its head is.")
]
Shards = Annotated[
    Path | None, typer.Option("--shards", metavar="FOLDER", help="What `turtleidx shard` made, as all machines see it.")
]


def both_or_none(cluster: str | None, shards: Path | None) -> None:
    """Raises BadParameter where a cluster has nothing to work on, or nobody works on the shards."""
    if (cluster is None) != (shards is None):
        raise typer.BadParameter("--cluster and --shards go together: who works, and on which shards.")


class Sorting(StrEnum):
    """What answers may be sorted by."""

    VERDICT = "verdict"
    P_NEW = "p_new"
    PHOTO = "photo"


SIDES = "left|right|top|front"
SideOfHead = Annotated[
    Side | None,
    typer.Option("--side", parser=parsed_side, metavar=SIDES, help="Side of the head that the photos show."),
]
Extractor = Annotated[
    str | None,
    typer.Option(
        help="sift, disk, aliked, doghardnet, xfeat or superpoint; NAME-KEYPOINTS-PIXELS, as in sift-512-320."
    ),
]
HeadsOfPhotos = Annotated[
    Heads | None,
    typer.Option(
        "--heads",
        help="Photos without a head box: find the head (auto), wait for a person (given), or use them whole; else as "
        "the catalogue remembers.",
    ),
]
HeadFinder = Annotated[
    str | None,
    typer.Option(
        "--head-finder",
        help="What finds heads: own (trained here, else bundled), grounding-dino-tiny or omdet-turbo; remembered.",
    ),
]
Masks = Annotated[
    str | None,
    typer.Option(
        "--masks",
        help="What tells the animal from its surroundings, which then have no keypoints: slimsam, sam2 or none; "
        "remembered.",
    ),
]
ExtractorWeights = Annotated[Path | None, typer.Option(help="Local checkpoint of a learned extractor.")]
EncoderWeights = Annotated[Path | None, typer.Option(help="Local checkpoint of a timm encoder.")]
PriorNew = Annotated[
    str,
    typer.Option(
        "--prior-new",
        parser=parsed_prior,
        metavar="P",
        help="P(new) before looking, or auto: learnt from the latest queries.",
    ),
]
Rate = Annotated[float, typer.Option(min=0.0001, max=0.5)]
Csv = Annotated[bool, typer.Option("--csv", help="CSV with a header on standard output, safe for spreadsheets.")]
AsOf = Annotated[
    dt.date | None,
    typer.Option("--as-of", parser=parsed_moment, metavar="DATE", help="As it was at the end of that day, or moment."),
]
Page = Annotated[int, typer.Option(min=1, max=10**9, help="Page of the list.")]
PageSize = Annotated[int, typer.Option(min=1, max=10**9, help="Entries on a page.")]
Why = Annotated[str, typer.Option("--why", help="Your reason, for the history.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
NeverAsks = Annotated[bool, typer.Option("--yes", hidden=True, help="For scripts: this command asks nothing anyway.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write over any file; else only over an earlier output of the same kind.")
]
ExactLocations = Annotated[
    bool, typer.Option("--exact-locations", help="Exact coordinates; else rounded to 0.1 degree, about 11 km.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Options of a list: which page, as of when, and in what form."""

    page: Page = 1
    page_size: PageSize = 50
    as_of: AsOf = None
    as_json: Json = False
    as_csv: Csv = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """Options of looking at one thing."""

    as_of: AsOf = None
    as_json: Json = False
    exact_locations: ExactLocations = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Options of a change that asks nothing: for which reason, only shown, told as JSON."""

    why: Why = ""
    dry_run: DryRun = False
    yes: NeverAsks = False
    as_json: Json = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedChange(Change):
    """Options of a change that is asked about first, unless `yes`."""

    yes: Yes = False


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer: each parameter that is one of the classes above stands for that class's options."""
    hints = get_type_hints(command, include_extras=True)
    gathered = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
    taken = [(name, one.default) for name, one in signature(command).parameters.items() if name not in gathered]
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[name]) for name, default in taken
    ]
    for kind in gathered.values():
        own = get_type_hints(kind, include_extras=True)
        parameters += [
            Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=own[one.name])
            for one in fields(kind)
        ]

    def run(**values: Any) -> None:
        for name, kind in gathered.items():
            values[name] = kind(**{one.name: values.pop(one.name) for one in fields(kind)})
        command(**values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
