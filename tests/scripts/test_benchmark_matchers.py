"""The benchmark of matchers: which photos it draws, and how it judges matches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.matching.matcher_variants import Contender, Way, checked, matched
from benchmarks.matching.matchers import sample
from benchmarks.matching.synthetic_pairs import Tally, count
from index.types import Side
from retrieval.features.sift import SiftExtractor
from retrieval.matching.fusion import BlendedMatcher
from retrieval.matching.lightglue.checkpoints import load_matcher
from retrieval.matching.lightglue.published import DEFAULT
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.scoring.score import Score
from synthetic.heads import draw_photograph


def test_the_sample_has_queries_of_its_own_gallery_and_new_ones(tmp_path: Path) -> None:
    lines = ["photo,turtle,side,role"]
    for turtle in range(10):
        lines += [f"{turtle}g.jpg,T{turtle},left,gallery", f"{turtle}k.jpg,T{turtle},left,known"]
        lines.append(f"{turtle}n.jpg,N{turtle},right,new")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    trial = sample(tmp_path / "m.csv", 4, 3, 0)
    gallery = {row.sighting.turtle for row in trial.gallery}
    assert len(gallery) == len(trial.gallery) == 4
    assert [row.role for row in trial.queries] == ["known"] * 3 + ["new"] * 3
    assert all(row.sighting.turtle in gallery for row in trial.queries if row.role == "known")
    assert len(trial.against(trial.queries[0])) == 4
    assert len(trial.against(trial.queries[-1])) == 0
    whole = sample(tmp_path / "m.csv", None, None, 0)
    assert (len(whole.gallery), len(whole.queries)) == (10, 20)


def test_a_blend_is_that_of_matches_that_are_known() -> None:
    extractor = SiftExtractor(128, 160)
    one, other = (extractor.extract(draw_photograph(0, photo, Side.LEFT, (160, 128)).pixels) for photo in (0, 1))
    nearest, network = NearestNeighbourMatcher(), load_matcher(DEFAULT, torch.device("cpu"))
    way = Way("both", extractor, BlendedMatcher(network), ("network", "nearest"))
    apart = {"network": network.match(one, [other]), "nearest": nearest.match(one, [other])}
    [known] = matched(way, one, [other], apart)
    [anew] = matched(way, one, [other], {"nearest": apart["nearest"]})
    assert np.array_equal(known.pairs, anew.pairs)
    assert np.array_equal(known.confidence, anew.confidence)


def test_a_photo_matched_with_itself_is_right_everywhere_it_can_be_judged() -> None:
    drawing = draw_photograph(0, 0, Side.LEFT, (160, 128), 9_500_000)
    way = Way("nearest", SiftExtractor(128, 160), NearestNeighbourMatcher())
    features = way.extractor.extract(drawing.pixels)
    for check in ("none", "ransac", "verified"):
        row = Contender("x", "", way, check, Score.MATCH_COUNT)
        found = checked(row, features, [features], matched(way, features, [features]))
        tally = Tally()
        count(tally, row, found[0], features, features, (drawing, drawing))
        assert tally.true > 32
        assert tally.precision > 0.95
        assert tally.recall > 0.8
    shifted = found[0].pairs.copy()
    shifted[:, 1] = np.roll(shifted[:, 1], 7)
    wrong = Tally()
    count(wrong, row, type(found[0])(shifted, found[0].confidence), features, features, (drawing, drawing))
    assert wrong.precision < 0.3
