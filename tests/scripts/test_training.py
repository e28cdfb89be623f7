"""Training: truth from geometry, variation that keeps it, a start that ranks, a loss that teaches."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from index.types import Float32, LocalFeatures, Side
from retrieval.matching.lightglue.checkpoints import read_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.network import Assignment
from synthetic.heads import draw_photograph
from synthetic.noise import seeded
from training.lightglue import train as train_matcher
from training.lightglue.batches import MIRRORED, Batch, Half, Mixture, PairSource
from training.lightglue.checkpoints import load_checkpoint
from training.lightglue.correspondence import IGNORED, UNMATCHED, true_matches
from training.lightglue.initialization import new_network, with_layers
from training.lightglue.loss import assignment_loss, confidence_loss, ranking_loss, training_loss
from training.lightglue.synthetic_pairs import Flock, FlockPlan, cropped, make_flock
from training.lightglue.validation import area, validate

PLAN = FlockPlan(individuals=2, photos=2, keypoints=128, long_side=256)
CONFIG = LightGlueConfig(128, 32, 2, 1, add_scale_ori=True)


@pytest.fixture(scope="module")
def flocks() -> list[Flock]:
    made = [make_flock(seed, PLAN) for seed in (1, 2)]
    return [flock for flock in made if flock is not None]


def features(xy: Float32, orientation: float = 0.0) -> LocalFeatures:
    n = len(xy)
    return LocalFeatures(
        xy=xy.astype(np.float32),
        scale=np.full(n, 4, np.float32),
        orientation=np.full(n, orientation, np.float32),
        descriptors=np.zeros((n, 128), np.uint8),
        size=(100, 80),
    )


def plain_skin() -> Float32:
    """A skin that is seen one to one."""
    y, x = np.mgrid[0:80, 0:100].astype(np.float32)
    return np.stack([x, y], -1)


def test_keypoints_of_a_shifted_photo_match_their_counterparts_only() -> None:
    spots = np.array([[20, 20], [50, 40], [80, 60], [95, 40]], np.float32)
    skin = plain_skin()
    shifted = skin - np.array([10, 0], np.float32)
    there = spots + np.array([10, 0], np.float32)
    there[2] += 20
    truth = true_matches(features(spots), skin, features(there), shifted)
    assert truth.first.tolist()[:2] == [0, 1]
    assert truth.first[2] == UNMATCHED
    assert truth.first[3] == UNMATCHED  # moved out of the picture
    assert truth.second.tolist()[:2] == [0, 1]


def test_a_counterpart_that_points_elsewhere_is_ignored() -> None:
    spots = np.array([[30, 30], [60, 40]], np.float32)
    truth = true_matches(features(spots), plain_skin(), features(spots, orientation=2.0), plain_skin())
    assert truth.first.tolist() == [IGNORED, IGNORED]


def test_turned_photos_match_with_their_orientations() -> None:
    spots = np.array([[30, 30], [60, 40], [45, 55]], np.float32)
    turned = np.ascontiguousarray(plain_skin()[::-1, ::-1])
    there = np.array([99, 79], np.float32) - spots
    truth = true_matches(features(spots), plain_skin(), features(there, orientation=np.pi), turned)
    assert truth.first.tolist() == [0, 1, 2]


def test_hidden_skin_matches_nothing() -> None:
    spots = np.array([[30, 30], [60, 40]], np.float32)
    hidden = plain_skin()
    hidden[:, :50] = np.nan
    truth = true_matches(features(spots), plain_skin(), features(spots), hidden)
    assert truth.first.tolist() == [UNMATCHED, 1]


def test_drawn_pairs_match_where_their_descriptors_agree(flocks: list[Flock]) -> None:
    pair_score, chance = [], []
    for flock in flocks:
        for (a, b), (first, _) in zip(flock.pairs, flock.truth, strict=True):
            rows = np.flatnonzero(first >= 0)
            one, other = flock.descriptors[a].astype(float), flock.descriptors[b].astype(float)
            pair_score += list(np.linalg.norm(one[rows] - other[first[rows]], axis=1))
            chance += list(np.linalg.norm(one[rows] - other[::-1][first[rows]], axis=1))
    assert len(pair_score) > 10
    assert np.median(pair_score) < 0.8 * np.median(chance)


def test_flocks_survive_storage(flocks: list[Flock], tmp_path: Path) -> None:
    path = tmp_path / "flock-0.npz"
    flocks[0].save(path)
    loaded = Flock.load(path)
    assert np.array_equal(loaded.truth, flocks[0].truth)
    assert np.array_equal(loaded.descriptors, flocks[0].descriptors)


def test_mirrored_descriptors_are_those_of_the_mirrored_photo() -> None:
    grey = cv2.cvtColor(draw_photograph(0, 2, Side.LEFT, (256, 200)).pixels, cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT.create(nfeatures=60)
    found = sift.detect(grey, None)
    _, here = sift.compute(grey, found)
    turned = [cv2.KeyPoint(255 - p.pt[0], p.pt[1], p.size, (180 - p.angle) % 360, p.response, p.octave) for p in found]
    _, there = sift.compute(np.ascontiguousarray(grey[:, ::-1]), turned)
    cosine = (here[:, MIRRORED] * there).sum(1) / np.linalg.norm(here, axis=1) / np.linalg.norm(there, axis=1)
    assert np.median(cosine) > 0.97


def test_batches_are_deterministic_and_truth_is_mutual(flocks: list[Flock]) -> None:
    source = PairSource(flocks, batch=8, keypoints=96)
    batch = next(source.batches(seed=1))
    again = next(source.batches(seed=1))
    assert torch.equal(batch.first.positions, again.first.positions)
    assert batch.first.descriptors.shape == (8, 96, 128)
    assert batch.same.any()
    for pair in range(8):
        for row, column in enumerate(batch.truth_first[pair].tolist()):
            if column >= 0:
                assert batch.truth_second[pair, column] == row
    later = next(source.batches(seed=1, start=1))
    third = next(islice(source.batches(seed=1), 1, None))
    assert torch.equal(later.first.descriptors, third.first.descriptors)


def test_negatives_have_no_match(flocks: list[Flock]) -> None:
    source = PairSource(flocks, 8, 128, Mixture(hard=0.5, easy=0.25, mirrored=0.25))
    batch = next(source.batches(seed=2))
    assert not batch.same.any()
    assert (batch.truth_first == UNMATCHED).all()


def test_a_network_goes_on_shallower_or_deeper(flocks: list[Flock]) -> None:
    network = new_network(CONFIG, flocks, seed=0)
    batch = next(PairSource(flocks, 2, 64).batches(seed=4))
    inputs = batch.first.descriptors, batch.first.positions, batch.second.descriptors, batch.second.positions
    deeper = with_layers(network, 4)
    torch.testing.assert_close(deeper(*inputs).log_scores, network(*inputs).log_scores)
    torch.autograd.backward(training_loss(deeper, batch, None))
    added = dict(deeper.named_parameters())["transformers.3.cross_attn.ffn.3.weight"].grad
    assert added is not None
    assert added.abs().max() > 0  # it learns
    shallower = with_layers(deeper, 1)
    torch.testing.assert_close(shallower(*inputs).log_scores, with_layers(network, 1)(*inputs).log_scores)
    own, kept = network.state_dict(), shallower.state_dict()
    assert all(torch.equal(kept[name], own[name]) for name in kept)


def test_the_start_already_ranks_by_likeness_and_learns(flocks: list[Flock]) -> None:
    network = new_network(CONFIG, flocks, seed=0)
    source = PairSource(flocks, 4, 128, Mixture(0.0, 0.0, 0.0), vary=False)
    batch = next(source.batches(seed=3))
    assignment = network(
        batch.first.descriptors, batch.first.positions, batch.second.descriptors, batch.second.positions
    )
    rows = (batch.truth_first >= 0).nonzero()
    ranks = (assignment.log_scores > assignment.log_scores.gather(2, batch.truth_first.clamp(min=0)[..., None])).sum(2)
    assert ranks[rows[:, 0], rows[:, 1]].float().median() < 16
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = training_loss(network, batch, inner_layer=0)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_negative_pairs_push_matchability_down_only(flocks: list[Flock]) -> None:
    network = new_network(CONFIG, flocks, seed=0)
    batch = next(PairSource(flocks, 4, 128, Mixture(1.0, 0.0, 0.0)).batches(seed=4))
    assignment = network(
        batch.first.descriptors, batch.first.positions, batch.second.descriptors, batch.second.positions
    )
    logits = torch.cat([assignment.matchability0, assignment.matchability1], 1)
    expected = 0.5 * 2 * torch.nn.functional.softplus(logits).mean(1)
    assert torch.allclose(assignment_loss(assignment, batch), expected, atol=1e-5)


def test_ranking_falls_as_true_pairs_gain_evidence() -> None:
    half = Half(torch.zeros(2, 3, 128), torch.zeros(2, 3, 4))
    truth = torch.full((2, 3), UNMATCHED)
    batch = Batch(half, half, truth, truth, same=torch.tensor([True, False]))
    none = torch.zeros(2, 3)

    def loss(true_pair: float, false_pair: float) -> float:
        log_scores = torch.stack([torch.full((3, 3), true_pair), torch.full((3, 3), false_pair)])
        return float(ranking_loss(Assignment(log_scores, none, none), batch))

    assert loss(-2, -2) == pytest.approx(np.log(2))
    assert loss(-1, -3) == pytest.approx(np.log1p(np.exp(-2)))
    assert loss(-3, -1) > loss(-2, -2)


def test_confidence_heads_learn_alone(flocks: list[Flock]) -> None:
    network = new_network(CONFIG, flocks, seed=0)
    batch = next(PairSource(flocks, 2, 128).batches(seed=5))
    torch.autograd.backward(confidence_loss(network, batch))
    learned = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert learned == {"token_confidence"}


def test_a_run_leaves_what_the_next_sitting_and_the_package_need(flocks: list[Flock], tmp_path: Path) -> None:
    for folder in ("train", "held"):
        (tmp_path / folder).mkdir()
        for number, flock in enumerate(flocks):
            flock.save(tmp_path / folder / f"flock-{number:07d}.npz")
    options = [
        "--flocks",
        str(tmp_path / "train"),
        "--held-out",
        str(tmp_path / "held"),
        "--into",
        str(tmp_path / "run"),
    ]
    small = [
        "--dim",
        "32",
        "--layers",
        "2",
        "--heads",
        "1",
        "--batch",
        "2",
        "--keypoints",
        "96",
        "--check-batches",
        "1",
    ]
    train_matcher.main([*options, *small, "--steps", "2"])
    train_matcher.main([*options, *small, "--steps", "1", "--from", str(tmp_path / "run" / "last.pt")])
    train_matcher.main(
        [*options, *small, "--steps", "1", "--stage", "confidence", "--from", str(tmp_path / "run" / "last.pt")]
    )
    checkpoint = load_checkpoint(tmp_path / "run" / "last.pt")
    assert (checkpoint.steps, checkpoint.pairs) == (4, 8)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [2, 3, 4]
    shipped = read_network(tmp_path / "run" / "matcher.safetensors")
    assert shipped.id.startswith("turtle-sift-4-")
    assert shipped.network.config.depth_confidence == 0.95
    for name, tensor in shipped.network.state_dict().items():
        assert torch.allclose(tensor, checkpoint.average[name], atol=2e-2, rtol=1e-3), name
    shipped_file = str(tmp_path / "run" / "matcher.safetensors")
    train_matcher.main(
        [*options, *small, "--steps", "1", "--rate", "0", "--into", str(tmp_path / "next"), "--from", shipped_file]
    )
    afresh = load_checkpoint(tmp_path / "next" / "last.pt")
    assert (afresh.steps, afresh.pairs) == (1, 2)
    for name, tensor in shipped.network.state_dict().items():
        assert torch.allclose(tensor, afresh.network[name]), name


def test_crops_follow_the_head_and_keep_what_each_pixel_shows() -> None:
    drawing = draw_photograph(1, 4, Side.LEFT, (380, 300))
    crop = cropped(drawing, seeded(1), 320)
    height, width = crop.pixels.shape[:2]
    assert max(height, width) == 320
    assert crop.texels.shape == (height, width, 2)

    def share(texels: Float32) -> float:
        return float((~np.isnan(texels[..., 0])).mean())

    assert share(crop.texels) > share(drawing.texels)
    seen = drawing.texels[~np.isnan(drawing.texels[..., 0])]
    kept = crop.texels[~np.isnan(crop.texels[..., 0])]
    # a sixteenth of the head at most is cut off on each edge, and nothing is moved on the skin
    assert (kept.min(0) >= seen.min(0) - 1).all()
    assert (kept.max(0) <= seen.max(0) + 1).all()
    assert (np.ptp(kept, axis=0) > 0.7 * np.ptp(seen, axis=0)).all()


def test_validation_compares_with_nearest_neighbours(flocks: list[Flock]) -> None:
    figures = validate(new_network(CONFIG, flocks, seed=0), flocks, batches=2, keypoints=128)
    assert 0 <= figures.auc <= 1
    assert figures.auc_nearest > 0.4


def test_area_counts_ties_by_half() -> None:
    positive = np.array([True, True, False, False])
    assert area(np.array([3.0, 1.0, 1.0, 0.0]), positive) == pytest.approx(0.875)
