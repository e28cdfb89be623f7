"""The first look of a GPU is that of a CPU, whatever the photos."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from index.types import LocalFeatures, Matches
from retrieval.features.sift import SiftExtractor
from retrieval.matching.cascade import first_stage, strength
from retrieval.matching.nearest_gpu import first_stage_gpu
from synthetic.heads import draw_head

CPU = torch.device("cpu")


@cache
def heads() -> list[LocalFeatures]:
    sift = SiftExtractor(256, 320)
    return [sift.extract(draw_head(number // 3, number % 3, size=(320, 256))) for number in range(12)]


def surviving(matches: Matches) -> Matches:
    kept = matches.confidence > 0
    return Matches(matches.pairs[kept], matches.confidence[kept])


def test_drawn_heads_get_the_same_matches() -> None:
    compared, otherwise = 0, 0
    for place, query in enumerate(heads()[:4]):
        photos = [*heads()[:place], *heads()[place + 1 :]]
        for memory in (1, 1 << 30):
            found = first_stage_gpu(query, photos, CPU, memory=memory)
            for batched, alone in zip(found, map(surviving, first_stage(query, photos)), strict=True):
                compared += 1
                if np.array_equal(batched.pairs, alone.pairs):
                    assert np.abs(batched.confidence - alone.confidence).max(initial=0) < 1e-4
                else:
                    otherwise += 1  # two maps that the same weight speaks for
    assert otherwise <= 0.03 * compared


def test_keypoints_that_are_there_twice_say_nothing_as_on_a_cpu() -> None:
    query, photo = heads()[0], heads()[1]
    doubled = replace(
        photo,
        xy=np.concatenate([photo.xy] * 2),
        scale=np.concatenate([photo.scale] * 2),
        orientation=np.concatenate([photo.orientation] * 2),
        descriptors=np.concatenate([photo.descriptors] * 2),
    )
    for one, other in ((query, doubled), (doubled, query), (doubled, doubled)):
        [batched], [alone] = first_stage_gpu(one, [other], CPU), first_stage(one, [other])
        assert not strength(batched.confidence)
        assert not strength(alone.confidence)
    assert strength(first_stage(query, [photo])[0].confidence)


def part(photo: LocalFeatures, keypoints: int) -> LocalFeatures:
    names = ("xy", "scale", "orientation", "descriptors")
    return replace(photo, **{name: getattr(photo, name)[:keypoints] for name in names})


@settings(max_examples=25)
@given(counts=st.lists(st.sampled_from([2, 3, 4, 64, 256]), min_size=1, max_size=6), own=st.integers(2, 80))
def test_few_keypoints_are_looked_at_as_on_a_cpu(counts: list[int], own: int) -> None:
    query = part(heads()[0], own)
    photos = [part(heads()[row], count) for row, count in enumerate(counts, start=1)]
    for batched, alone in zip(first_stage_gpu(query, photos, CPU), first_stage(query, photos), strict=True):
        assert strength(batched.confidence) == pytest.approx(strength(alone.confidence), rel=1e-3, abs=1e-3)


def test_photos_without_keypoints_have_no_matches() -> None:
    none, some = part(heads()[0], 0), heads()[1]
    assert [len(matches) for matches in first_stage_gpu(none, [some, none], CPU)] == [0, 0]
    assert [len(matches) for matches in first_stage_gpu(some, [none], CPU)] == [0]


def test_photos_of_which_no_match_is_distinct_have_none() -> None:
    photo = part(heads()[0], 8)
    alike = replace(photo, descriptors=np.ones_like(photo.descriptors))
    assert [len(matches) for matches in first_stage_gpu(alike, [alike, alike], CPU)] == [0, 0]


def test_matches_on_one_line_are_judged_alike() -> None:
    photo = replace(heads()[0], xy=(heads()[0].xy * np.array([1, 0])).astype(np.float32))
    [batched], [alone] = first_stage_gpu(photo, [photo], CPU), first_stage(photo, [photo])
    assert strength(batched.confidence) == pytest.approx(strength(alone.confidence), rel=1e-3)
    assert len(batched) > 100
