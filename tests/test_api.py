"""The public Python API: its names are pinned, and ten lines go from a folder of photos to a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

import index
import retrieval
from index import Catalog
from retrieval import DecisionPolicy, Engine, EngineOptions, enroll, fit, identify, identify_encounter, sightings_in
from tests.retrieval.drawn import copied, drawn_once


def test_the_public_names_are_pinned() -> None:
    assert sorted(vars(index)["__all__"]) == [
        "Browser", "Catalog", "Curator", "GalleryFilter", "Recipe", "Side", "Sighting", "TurtleidxError",
    ]  # fmt: skip
    assert sorted(vars(retrieval)["__all__"]) == [
        "CatalogModel", "DecisionPolicy", "Engine", "EngineOptions", "Rates", "Verdict", "audit", "cluster_encounters",
        "enroll", "evaluate", "fit", "identify", "identify_encounter", "sightings_in",
    ]  # fmt: skip
    for package in (index, retrieval):
        assert all(getattr(package, name).__name__ == name for name in vars(package)["__all__"])


@pytest.mark.whole
def test_ten_lines_go_from_a_folder_to_a_verdict(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    photos = copied(drawn_once(tmp_path_factory), tmp_path / "photos", [f"T{number:03d}" for number in range(1, 23)])
    query = next(one for one in photos.samples if one.turtle == "T004" and one.role == "known")
    (photos.folder / query.photo).rename(tmp_path / "new.jpg")

    engine = Engine.load(options=EngineOptions(extractor="sift-256-320", matcher="nearest"))
    catalog = Catalog.create(tmp_path / "turtles.catalog", engine.recipe)
    enroll(catalog, sightings_in(photos.folder), engine, who="field team")
    model = fit(catalog, engine, who="field team").model
    found = identify(catalog, tmp_path / "new.jpg", engine, model, DecisionPolicy(prior_new=0.2))
    together = identify_encounter(catalog, [tmp_path / "new.jpg"], engine, model)

    assert found.candidates[0].turtle == together.candidates[0].turtle == "T004"
