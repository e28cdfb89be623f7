"""How much a fit was allowed to compare is remembered, and no smaller one takes its place without a word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from index.types import GalleryFilter
from retrieval.defaults import FIT_BUDGET
from retrieval.engine.engine import Engine
from retrieval.fitting.fit_model import fit, fit_is_due, would_learn_less
from retrieval.fitting.trial_scores import plan_trials
from retrieval.novelty import MODEL, CatalogModel, expect
from synthetic.samples import SampleSet
from tests.retrieval.lookalikes import TURTLES, engine, enrolled, lookalike
from tests.retrieval.shelling import Shell

THOROUGH = 10 * FIT_BUDGET


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of 48 photos that was fitted on demand."""
    catalog = enrolled(tmp_path_factory.mktemp("made"))
    assert fit(catalog, engine(), "Ana", budget=THOROUGH).fitted
    return catalog.path


@pytest.fixture
def catalog(made: Path, tmp_path: Path) -> Catalog:
    return Catalog.open(Path(shutil.copytree(made, tmp_path / "turtles.catalog")))


def model(catalog: Catalog) -> CatalogModel:
    return CatalogModel.load(catalog, engine().evidence)


def grown(catalog: Catalog, photos: int) -> None:
    """So many more photos, of turtles with ten each."""
    catalog.enroll([lookalike(50 + n // 10, n % 10, f"T{50 + n // 10:03d}") for n in range(photos)], "Ana")


def test_a_model_remembers_its_budget_and_one_of_before_is_fitted_again(catalog: Catalog) -> None:
    assert model(catalog).budget == THOROUGH
    assert not fit_is_due(catalog, engine())
    record = json.loads(model(catalog).to_json())
    del record["budget"]
    before = json.dumps(record | {"version": 5})
    assert CatalogModel.from_json(before).outdated
    catalog.save_model(MODEL, engine().evidence, before, "Ana")
    assert fit_is_due(catalog, engine())
    assert would_learn_less(catalog, engine(), 10) is None


def test_a_smaller_fit_takes_the_place_of_a_larger_one_only_where_it_asks_everybody(catalog: Catalog) -> None:
    grown(catalog, 20)
    assert fit_is_due(catalog, engine())
    assert would_learn_less(catalog, engine(), FIT_BUDGET) is None
    assert would_learn_less(catalog, engine(), THOROUGH) is None
    told = would_learn_less(catalog, engine(), 500)
    assert told is not None
    assert "48 of the 68 identified photos" in told
    assert "run `turtleidx fit`" in told
    fit(catalog, engine(), "Ana", budget=500)
    assert would_learn_less(catalog, engine(), 500) is None


@pytest.mark.parametrize(("budget", "stopped"), [(300, True), (2000, False)])
def test_a_plan_says_whether_its_budget_ended_it(catalog: Catalog, budget: int, stopped: bool) -> None:
    planned = plan_trials(catalog, catalog.photos(GalleryFilter()), engine(), budget)
    assert planned.stopped_at == (budget if stopped else 0)
    assert (len({trial.query for trial in planned.trials}) < 2 * TURTLES) is stopped


def test_a_model_knows_whether_its_budget_ended_the_fit(catalog: Catalog) -> None:
    few = fit(catalog, engine(), "Ana", budget=900).model
    assert few.novelty is not None
    assert few.novelty.stopped_at == 900
    assert "this fit asked about" in expect(few.novelty).sentence
    every = fit(catalog, engine(), "Ana").model
    assert every.novelty is not None
    assert every.novelty.stopped_at == 0
    assert "(here 24)" in expect(every.novelty).sentence


def test_enrolling_leaves_a_thorough_fit_and_says_that_one_is_due(
    catalog: Catalog, samples: SampleSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    light = Engine.load(catalog.recipe).evidence
    catalog.save_model(MODEL, light, model(catalog).to_json(), "Ana")
    grown(catalog, 200)
    own = Shell(catalog.path, capsys, monkeypatch)
    done = own("enroll", samples.folder / "T001" / "left-1.jpg", "--turtle", "Nina", "--side", "left")
    assert done.code == 0
    assert "The model stays, which knows 48 of the 249 identified photos" in done.err
    assert CatalogModel.load(catalog, light).photos == 48
