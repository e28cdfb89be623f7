"""Metric learning learns what tells turtles apart, decides by turtles that it did not see, and goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from index.catalog.catalog import Catalog
from index.errors import InputError
from index.types import GalleryFilter, Side
from retrieval.engine.factory import load_encoder
from retrieval.images.pictures import decode, jpeg
from retrieval.training.encoder import EncoderTraining, EpochReport, found_again, train_encoder
from retrieval.training.losses import LossOfPairs, MetricLoss, pairs_of
from retrieval.training.sampling import LabelledPhotos, batches, split
from tests.index.making import RECIPE, day, photo

pytestmark = pytest.mark.whole

OPTIONS = EncoderTraining(
    model="test_resnet", from_scratch=True, epochs=3, patience=3, batch=16, each=2, size=64, rate=3e-3, held_out=0.4
)


def coloured(turtle: int, number: int) -> bytes:
    """A picture in the turtle's two colours, in light of its own."""
    rng = np.random.default_rng(turtle)
    picture = np.concatenate([np.full((64, 48, 3), rng.integers(20, 200, 3)) for _ in range(2)], axis=1)
    light = np.random.default_rng(100 * turtle + number).uniform(0.8, 1.2)
    return jpeg(np.clip(picture * light, 0, 255).astype(np.uint8))


def filled(folder: Path, turtles: int, encounters: int = 2) -> Catalog:
    """Each turtle's left side on so many days."""
    catalog = Catalog.create(folder / "turtles.catalog", RECIPE)
    taken = [
        replace(
            photo(10 * turtle + number, f"T{turtle:03d}", taken_on=day(number), side=Side.LEFT),
            thumbnail=coloured(turtle, number),
        )
        for turtle in range(turtles)
        for number in range(encounters)
    ]
    catalog.enroll(taken, "Ana")
    return catalog


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return filled(tmp_path_factory.mktemp("coloured"), 30)


def test_held_out_turtles_are_found_better_and_the_file_is_an_encoder(catalog: Catalog, tmp_path: Path) -> None:
    heard: list[EpochReport] = []
    target = tmp_path / "own.safetensors"
    trained = train_encoder(catalog, target, OPTIONS, advance=heard.append)
    assert [report.epoch for report in heard] == [0, 1, 2, 3]
    assert trained.best == max(heard, key=lambda report: report.reciprocal_rank)
    assert trained.gained
    assert trained.best.reciprocal_rank > heard[0].reciprocal_rank + 0.05
    encoder = load_encoder(str(target))
    photos = LabelledPhotos.of(catalog.photos(GalleryFilter()))
    _, kept = split(photos, OPTIONS.held_out)
    vectors = encoder.encode([decode(catalog.thumbnail(one)) for one in kept.photos], ())
    assert found_again(vectors, kept) == pytest.approx((trained.best.top1, trained.best.reciprocal_rank))
    card = target.with_suffix(".md").read_text(encoding="utf-8")
    assert f"round: {trained.best.epoch}" in card
    assert "start: untrained" in card
    assert not list(tmp_path.glob("*.partial*"))


def test_an_interrupted_training_ends_as_an_uninterrupted_one(catalog: Catalog, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    train_encoder(catalog, whole, replace(OPTIONS, epochs=2))

    def stop(report: EpochReport) -> None:
        if report.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_encoder(catalog, broken, replace(OPTIONS, epochs=2), advance=stop)
    heard: list[str] = []
    train_encoder(catalog, broken, replace(OPTIONS, epochs=2), heard.append)
    assert heard == ["Going on after round 1."]
    one, other = load_file(whole), load_file(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_state_of_another_training_is_left_alone(catalog: Catalog, tmp_path: Path) -> None:
    target = tmp_path / "own.safetensors"

    def stop(report: EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_encoder(catalog, target, OPTIONS, advance=stop)
    heard: list[str] = []
    train_encoder(catalog, target, replace(OPTIONS, epochs=1, loss=MetricLoss.TRIPLET), heard.append)
    assert len(heard) == 1
    assert "is of another training" in heard[0]


def test_too_few_turtles_end_in_a_sentence_with_both_numbers(tmp_path: Path) -> None:
    few = filled(tmp_path / "few", 6)
    with pytest.raises(InputError, match=r"at least 8 turtles .*there are \d and \d"):
        train_encoder(few, tmp_path / "own.safetensors", OPTIONS)
    (tmp_path / "once").mkdir()
    once = filled(tmp_path / "once", 30, encounters=1)
    with pytest.raises(InputError, match="there are 0 and 0"):
        train_encoder(once, tmp_path / "own.safetensors", OPTIONS)
    with pytest.raises(InputError, match="has to end in"):
        train_encoder(once, tmp_path / "own.bin", OPTIONS)


def test_too_little_memory_halves_the_batch(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    forward = LossOfPairs.forward

    def short(self: LossOfPairs, embeddings: torch.Tensor, *codes: torch.Tensor) -> torch.Tensor:
        sizes.append(len(embeddings))
        if len(embeddings) > 8:
            raise torch.OutOfMemoryError
        return forward(self, embeddings, *codes)

    monkeypatch.setattr(LossOfPairs, "forward", short)
    heard: list[str] = []
    train_encoder(catalog, tmp_path / "own.safetensors", replace(OPTIONS, epochs=1), heard.append)
    assert heard == ["The device has too little memory for the batch: going on with 8 photos."]
    assert sizes[0] == 16
    assert set(sizes[1:]) <= {8, 7, 6, 5, 4, 3}


def test_only_other_occasions_are_positive_and_only_other_turtles_negative() -> None:
    sides, turtles, occasions = (
        torch.tensor([0, 0, 0, 1, 2]),
        torch.tensor([0, 0, 0, 0, 1]),
        torch.tensor([0, 0, 1, 2, 3]),
    )
    anchors, positives, other_anchors, negatives = pairs_of(sides, turtles, occasions)
    assert set(zip(anchors.tolist(), positives.tolist(), strict=True)) == {(0, 2), (1, 2), (2, 0), (2, 1)}
    assert set(zip(other_anchors.tolist(), negatives.tolist(), strict=True)) == {
        pair for one in range(4) for pair in ((one, 4), (4, one))
    }


@pytest.mark.parametrize("name", list(MetricLoss))
def test_every_loss_is_less_for_turtles_that_lie_apart(name: MetricLoss) -> None:
    torch.manual_seed(0)
    loss = LossOfPairs(name, 2, 2)
    codes = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 2, 3])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]])
    mixed = apart[[0, 2, 1, 3]]
    if name is MetricLoss.ARCFACE:  # its classes have learnt where they lie
        with torch.no_grad():
            next(loss.parameters()).copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
    with torch.no_grad():
        assert float(loss(apart, *codes)) < float(loss(mixed, *codes))


def test_batches_hold_other_occasions_before_second_photos_and_every_side_once() -> None:
    catalogued = [(turtle, occasion) for turtle in range(12) for occasion in (0, 0, 0, 1)]
    photos = LabelledPhotos(
        (),
        np.array([turtle for turtle, _ in catalogued]),
        np.array([turtle for turtle, _ in catalogued]),
        np.array([2 * turtle + occasion for turtle, occasion in catalogued]),
    )
    seen = np.concatenate(list(batches(photos, 8, 2, np.random.default_rng(0))))
    assert sorted(set(photos.turtles[seen].tolist())) == list(range(12))
    for turtle in range(12):
        assert len(set(photos.occasions[seen][photos.turtles[seen] == turtle].tolist())) == 2


def test_rank_counts_other_occasions_only() -> None:
    photos = LabelledPhotos((), np.array([0, 0, 0, 1]), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2]))
    vectors = np.array([[1, 0], [1, 0.01], [0, 1], [0.8, 0.6]], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    top1, reciprocal_rank = found_again(vectors, photos)  # 0 and 1 find the other turtle first, 2 too
    assert (top1, reciprocal_rank) == (0, 0.5)
