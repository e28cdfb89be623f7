"""A network is adapted to a catalogue's photos, kept only if turtles gain that it did not see, named by its bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from index.catalog.backup import restore_backup, write_backup
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.errors import InputError
from index.types import GalleryFilter, LocalFeatures, Matches, Side
from retrieval.matching.lightglue.checkpoints import load_matcher, save_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import Assignment, LightGlue
from retrieval.matching.lightglue.pairs import assign_pairs
from retrieval.training.matcher import MatcherRound, MatcherTraining, PairLoss, gained, train_matcher
from retrieval.training.pairs import MARGIN, ComparedPhotos, correspondence_loss, triplet_loss
from retrieval.training.sampling import LabelledPhotos
from tests.index.making import RECIPE, day, photo

pytestmark = pytest.mark.whole

SMALL = LightGlueConfig(input_dim=128, descriptor_dim=32, n_layers=2, num_heads=2, add_scale_ori=True)
KEYPOINTS, TELLING = 64, 16
CPU = torch.device("cpu")


def seen(turtle: int, number: int) -> LocalFeatures:
    """Keypoints that all turtles have in one place; some numbers of a descriptor tell turtles apart, most tell days."""
    common, own, today = (np.random.default_rng(seed) for seed in (0, [1, turtle], [2, turtle, number]))
    like = common.gamma(1.0, 20.0, (KEYPOINTS, 128))
    like[:, :TELLING] += own.gamma(1.0, 16.0, (KEYPOINTS, TELLING))
    like[:, TELLING:] += today.gamma(1.0, 16.0, (KEYPOINTS, 128 - TELLING))
    return LocalFeatures(
        xy=(common.uniform(60, 400, (KEYPOINTS, 2)) + today.normal(0, 4, (KEYPOINTS, 2))).astype(np.float32),
        scale=common.uniform(4, 20, KEYPOINTS).astype(np.float32),
        orientation=common.uniform(-3, 3, KEYPOINTS).astype(np.float32),
        descriptors=np.clip(like, 0, 255).astype(np.uint8),
        size=(480, 480),
    )


def filled(folder: Path, turtles: int, days: int = 2) -> Catalog:
    catalog = Catalog.create(folder / "turtles.catalog", RECIPE)
    taken = [
        replace(
            photo(10 * turtle + number, f"T{turtle:03d}", taken_on=day(number), side=Side.LEFT),
            features=seen(turtle, number),
        )
        for turtle in range(turtles)
        for number in range(days)
    ]
    catalog.enroll(taken, "Ana")
    return catalog


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_network(tmp_path / "untrained.safetensors", LightGlue(SMALL), "untrained", "0", torch.float32)
    return tmp_path / "untrained.safetensors"


def options_of(start: Path) -> MatcherTraining:
    return MatcherTraining(start=str(start), loss=PairLoss.CORRESPONDENCE, epochs=2, rate=3e-3, held_out=0.5)


def test_unseen_turtles_gain_and_the_network_lives_in_the_catalogue(tmp_path: Path, untrained: Path) -> None:
    catalog = filled(tmp_path, 20)
    heard: list[MatcherRound] = []
    trained = train_matcher(catalog, options_of(untrained), advance=heard.append)
    assert trained.gain > trained.error
    assert trained.best.reciprocal_rank > heard[0].reciprocal_rank
    assert trained.path is not None
    assert trained.path.parent == catalog.path / "models"
    assert load_matcher(str(trained.path), CPU).id.startswith("lightglue-matcher-untrained-")
    assert "before)" in trained.path.with_suffix(".md").read_text(encoding="utf-8")
    assert not list(trained.path.parent.glob("*.partial*"))

    write_backup(catalog, tmp_path / "turtles.backup")
    again = restore_backup(tmp_path / "turtles.backup", tmp_path / "again.catalog")
    copied = again.path / "models" / trained.path.name
    assert copied.read_bytes() == trained.path.read_bytes()
    assert copied.with_suffix(".md").exists()
    assert check_catalog(again).problems == ()
    copied.write_bytes(trained.path.read_bytes()[:-1])
    [told] = check_catalog(again).problems
    assert "has changed since it was trained" in told


def test_nothing_is_kept_where_nobody_gains(tmp_path: Path) -> None:
    catalog = filled(tmp_path, 20)
    heard: list[MatcherRound] = []
    options = MatcherTraining(epochs=2, rate=3e-4, held_out=0.5)  # triplets, which no further turtle gains by here
    trained = train_matcher(catalog, options, advance=heard.append)
    assert heard[2].loss < heard[1].loss
    assert trained.gain <= trained.error
    assert trained.path is None
    assert not (catalog.path / "models").exists() or not list((catalog.path / "models").iterdir())


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, untrained: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    whole, broken = filled(tmp_path / "whole", 20), filled(tmp_path / "broken", 20)
    wanted = train_matcher(whole, options_of(untrained))

    def stop(one: MatcherRound) -> None:
        if one.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_matcher(broken, options_of(untrained), advance=stop)
    told: list[str] = []
    got = train_matcher(broken, options_of(untrained), tell=told.append)
    assert told == ["Going on after round 1."]
    assert got.best == wanted.best
    assert got.path is not None
    assert wanted.path is not None
    ours, theirs = load_file(got.path), load_file(wanted.path)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_too_few_turtles_and_other_descriptors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are"):
        train_matcher(filled(tmp_path, 6))
    torch.manual_seed(0)
    save_network(tmp_path / "wide.safetensors", LightGlue(replace(SMALL, input_dim=64)), "wide", "0")
    (tmp_path / "more").mkdir()
    with pytest.raises(InputError, match="of 64 values"):
        train_matcher(filled(tmp_path / "more", 20), options_of(tmp_path / "wide.safetensors"))


def test_pairs_are_assigned_as_the_matcher_does(untrained: Path) -> None:
    matcher = load_matcher(str(untrained), CPU)
    assert isinstance(matcher, LightGlueMatcher)
    query, others = seen(1, 0), [seen(1, 1), seen(2, 0)]
    none = [Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))] * 2
    with torch.no_grad():
        assigned = assign_pairs(matcher.network, query, others, none, CPU)
    plain = LightGlueMatcher(matcher.network, "plain", CPU, torch.float32).match(query, others, none)
    for scores, matches in zip(assigned.log_scores.exp().numpy(), plain, strict=True):
        np.testing.assert_allclose(scores[tuple(matches.pairs.T)], matches.confidence, rtol=1e-3, atol=1e-6)


def test_the_hardest_stranger_comes_first_and_no_stranger_is_a_partner(tmp_path: Path) -> None:
    catalog = filled(tmp_path, 8, days=3)
    labelled = LabelledPhotos.of(catalog.photos(GalleryFilter()))
    compared = ComparedPhotos(catalog.features(labelled.photos), labelled)
    assert len(compared.anchors) == 24
    for anchor in compared.anchors[:5]:
        partner, *strangers = compared.beside(int(anchor), compared.drawn(int(anchor), 3, np.random.default_rng(0)), 3)
        assert labelled.sides[partner] == labelled.sides[anchor]
        assert labelled.occasions[partner] != labelled.occasions[anchor]
        assert len(strangers) == 3
        assert all(labelled.turtles[one] != labelled.turtles[anchor] for one in strangers)
        looks = compared.looks(int(anchor), strangers)
        assert looks[0].confidence.sum() >= max(one.confidence.sum() for one in looks[1:])


def test_losses_are_nothing_for_what_is_told_apart() -> None:
    scores = torch.full((3, 4, 4), -20.0)
    scores[0] = torch.where(torch.eye(4) > 0, -1e-4, -20.0)
    apart = Assignment(scores, torch.full((3, 4), -15.0), torch.full((3, 4), -15.0))
    look = Matches(np.array([[0, 0], [1, 1], [2, 3]], np.int32), np.array([0.5, 0.4, 0.0], np.float32))
    assert float(triplet_loss(apart)) == 0
    assert float(correspondence_loss(apart, look)) == pytest.approx(0, abs=1e-3)
    alike = replace(apart, log_scores=scores[[1, 0, 0]])
    assert float(triplet_loss(alike)) > MARGIN
    assert float(correspondence_loss(alike, look)) > 10


def test_a_gain_counts_by_turtle() -> None:
    start, best = MatcherRound(0, 0.0, (2, 2, 2, 1, 1)), MatcherRound(1, 0.0, (1, 1, 1, 1, 1))
    gain, error = gained(start, best, np.array([0, 0, 0, 1, 1]))
    assert gain == pytest.approx(0.25)
    assert error == pytest.approx(0.25)
