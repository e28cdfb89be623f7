"""The benchmarks of sizes, verdicts and rotation count what they say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.identification.rotation import ANGLES, turned
from benchmarks.matching.matchers import extract_all
from benchmarks.matching.network_sizes import IN_USE, Tried, ask_as_used, cuts
from benchmarks.matching.verdicts import PART, WHOLE, compared
from index.catalog import Catalog
from index.exchange.manifest import ManifestRow
from index.types import Matches, Photo, Sighting
from retrieval.engine import Engine, EngineOptions
from retrieval.features import SiftExtractor
from retrieval.matching.lightglue.checkpoints import load_network
from retrieval.matching.lightglue.published import BUNDLED, DEFAULT
from retrieval.novelty import CatalogModel
from retrieval.novelty.catalog_model import Prediction
from retrieval.novelty.decision import Verdict
from retrieval.novelty.posterior import Posterior
from retrieval.pipeline import enroll
from retrieval.pipeline.identification import identify
from retrieval.pipeline.results import Coverage, Identification, QueryPhoto
from retrieval.scoring.ranking import Candidate
from synthetic.heads import draw_head

NO_MATCH = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


def answer(verdict: Verdict, first: str, p_new: float) -> Identification:
    """An answer whose best candidate is `first`."""
    photo = Photo(1, "0" * 64, first, first, 1, None, None, 512, 0.5)
    turtle = first if verdict is Verdict.KNOWN else None
    candidates = (Candidate(first, 1.0, None, 9, photo, NO_MATCH),)
    said = Prediction(verdict, turtle, "", candidates, posterior(p_new))
    return Identification(QueryPhoto("q.jpg"), said, Coverage(9, 9, 9, 9), "nearest-1", 0.1)


def posterior(p_new: float) -> Posterior:
    none, empty = 0.0, np.zeros(0)
    of_none = np.zeros(0, np.int64)
    return Posterior(of_none, p_new, empty, none, p_new, p_new, None, none, none, none, none, 0.5, 9, 9, empty, none)


def row(role: str, turtle: str) -> ManifestRow:
    return ManifestRow(2, Sighting("q.jpg", turtle), role, {})


def test_every_cut_is_the_first_layers_without_early_exit() -> None:
    whole = load_network(DEFAULT).network
    file = Path(str(BUNDLED)) / f"{DEFAULT}.safetensors"
    tried = list(cuts(file, [1, 2, whole.config.n_layers, whole.config.n_layers + 1]))
    assert [one.network.config.n_layers for one in tried] == [1, 2, whole.config.n_layers]
    assert all(one.network.config.depth_confidence is None for one in tried)
    states, own = [one.network.state_dict() for one in tried], whole.state_dict()
    assert all(np.array_equal(value, own[key]) for state in states for key, value in state.items())
    assert len({one.matcher.id for one in tried}) == len(tried)


def test_a_turtle_is_ranked_by_its_best_photo_and_a_missing_one_is_not_found() -> None:
    tried = Tried()
    tried.add(np.array([0.1, 0.9, 0.5]), ["A", "A", "B"], "A")
    tried.add(np.array([0.1, 0.3, 0.5]), ["A", "A", "B"], "A")
    tried.add(np.array([0.1, 0.3, 0.5]), ["A", "A", "B"], "C")
    tried.add(np.array([0.1, 0.2, 0.2]), ["A", "A", "B"], None)
    figures = tried.figures([True, True, True, False])
    assert figures == {"top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3), "auroc": 1.0}


def test_two_networks_are_compared_turtle_by_turtle() -> None:
    one, other = Tried([0.0] * 5, [1, 1, 2, 0, 1]), Tried([0.0] * 5, [1, 2, 1, 0, 3])
    assert one.against(other) == {"gained": 2, "lost": 1}
    assert one.against(one) == {"gained": 0, "lost": 0}


def test_the_recipe_in_use_scores_as_a_catalogue_without_a_model_does(tmp_path: Path) -> None:
    rows: list[ManifestRow] = []
    for turtle, number in ((0, 0), (0, 4), (1, 0), (1, 4), (2, 2), (1, 2)):
        path = tmp_path / f"{turtle}-{number}.png"
        Image.fromarray(draw_head(turtle, number)).save(path)
        role = "known" if len(rows) == 5 else "gallery"
        rows.append(ManifestRow(2, Sighting(str(path), f"t{turtle}"), role, {}))
    *side, query = rows
    features = extract_all([one.sighting for one in rows], SiftExtractor(512, 320))
    tried: dict[tuple[str, str], Tried] = defaultdict(Tried)
    (size,) = cuts(BUNDLED / f"{DEFAULT}.safetensors", [3])
    ask_as_used(query, side, features, 320, [size], tried)

    engine = Engine.load(options=EngineOptions(matcher=IN_USE))
    catalog = Catalog.create(tmp_path / "turtles", engine.recipe)
    enroll(catalog, [one.sighting for one in side], engine, "test")
    model = CatalogModel.load(catalog, engine.evidence)
    answer = identify(catalog, replace(query.sighting, turtle=None), engine, model)
    by_turtle = {one.turtle: one.score for one in answer.candidates}
    assert len(by_turtle) == 3
    assert tried[size.name, "in use"].best == [pytest.approx(max(by_turtle.values()), abs=1e-4)]
    ranked = sorted(by_turtle, key=lambda one: -by_turtle[one])
    assert tried[size.name, "in use"].place == [ranked.index("t1") + 1]


def test_verdicts_of_two_ways_are_compared_query_by_query() -> None:
    asked = [row("known", "A"), row("known", "B"), row("new", "C"), row("new", "D")]
    part = [answer(Verdict.KNOWN, "A", 0.1), answer(Verdict.KNOWN, "A", 0.2)]
    part += [answer(Verdict.NEW, "A", 0.9), answer(Verdict.UNDECIDED, "A", 0.5)]
    whole = [answer(Verdict.KNOWN, "A", 0.1), answer(Verdict.KNOWN, "B", 0.2)]
    whole += [answer(Verdict.UNDECIDED, "A", 0.6), answer(Verdict.UNDECIDED, "B", 0.05)]
    figures = compared(asked, {PART: part, WHOLE: whole})
    assert [figures[key] for key in ("same_verdict", "same_answer", "same_first")] == [0.75, 0.5, 0.5]
    assert figures["contradictions"] == 1  # KNOWN as A and KNOWN as B; what is undecided contradicts nothing
    assert (figures["cascade_top1"], figures["everything_top1"]) == (0.5, 1.0)
    assert (figures["cascade_auroc_p_new"], figures["everything_auroc_p_new"]) == (1.0, 0.5)
    assert figures["cascade_verdicts_new"] == {"NEW": 1, "UNDECIDED": 1}


def test_the_square_canvas_is_the_same_at_every_angle_and_shows_the_whole_photo() -> None:
    photo = np.zeros((60, 100, 3), np.uint8)
    photo[20:40, 40:60] = 255
    square = [turned(photo, angle, square=True) for angle in ANGLES]
    assert {image.shape for image in square} == {(113, 113, 3)}
    assert square[1].shape == turned(photo, 45).shape
    assert turned(photo, 90).shape == (100, 60, 3)
    assert all(image[51:62, 51:62].mean() > 200 for image in square)
    corner = np.zeros_like(photo)
    corner[:20, :20] = 255
    upright, upside_down = (turned(corner, angle, square=True).astype(int) for angle in (0, 180))
    assert np.abs(upside_down - upright[::-1, ::-1]).mean() < 5 < np.abs(upside_down - upright).mean()
