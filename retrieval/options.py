"""Options that several commands share; shares the door to typer with `retrieval.cli`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from index.types import Side
from retrieval.scoring import Score


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for every command."""

    catalog: Path
    who: str
    device: str | None


Matcher = Annotated[
    str | None, typer.Option(help="nearest, or LightGlue weights: a name that `turtleidx weights` lists, or a file.")
]
Verify = Annotated[bool, typer.Option("--verify/--no-verify", help="Drop matches that no affine map explains.")]
ScoreRecipe = Annotated[Score, typer.Option("--score", help="How a pair's confidences become one number.")]
ShortlistLength = Annotated[int, typer.Option("--shortlist", min=1, help="Gallery photos that are matched.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output, nothing else there.")]
Role = Annotated[list[str] | None, typer.Option("--role", help="Rows of the manifest with this role; repeatable.")]
Manifest = Annotated[Path | None, typer.Option(help="CSV with a column photo; paths relative to it.")]
SideOfHead = Annotated[Side | None, typer.Option("--side", help="Side of the head that the photos show.")]
EncoderWeights = Annotated[Path | None, typer.Option(help="Local checkpoint of a timm encoder.")]
Rate = Annotated[float, typer.Option(min=0.0001, max=0.5)]
