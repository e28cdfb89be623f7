"""Which files hold small networks, and that they are read as torch reads them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from index.errors import WeightsCorrupt
from retrieval.matching.lightglue.checkpoints import load_matcher, save_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import DEFAULT, PUBLISHED
from retrieval.matching.lightglue.small.files import WIDEST, load_small_matcher
from tests.retrieval.oracles import CPU, random_features

SMALL = LightGlueConfig(16, 32, 2, 2, add_scale_ori=True, depth_confidence=None)


def written(folder: Path, config: LightGlueConfig, dtype: torch.dtype = torch.float16) -> Path:
    torch.manual_seed(0)
    path = folder / "own.safetensors"
    save_network(path, LightGlue(config), "turtle", "3", dtype)
    return path


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_an_own_file_is_the_same_matcher_with_and_without_torch(tmp_path: Path, dtype: torch.dtype) -> None:
    path = str(written(tmp_path, SMALL, dtype))
    small, plain = load_small_matcher(path), load_matcher(path, CPU)
    assert small is not None
    assert small.id == plain.id
    query, other = random_features(0, 40, SMALL), random_features(1, 40, SMALL)
    [found], [wanted] = small.match(query, [other]), plain.match(query, [other])
    assert abs(float(found.confidence.sum()) - float(wanted.confidence.sum())) < 0.05


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, depth_confidence=0.95),
        replace(SMALL, descriptor_dim=2 * WIDEST),
    ],
    ids=["early exit", "wide"],
)
def test_other_networks_are_torchs(tmp_path: Path, config: LightGlueConfig) -> None:
    assert load_small_matcher(str(written(tmp_path, config))) is None


def test_numbers_that_numpy_lacks_are_torchs(tmp_path: Path) -> None:
    assert load_small_matcher(str(written(tmp_path, SMALL, torch.bfloat16))) is None


def test_networks_of_others_are_torchs(tmp_path: Path) -> None:
    pickled = tmp_path / "own.pth"
    torch.save(LightGlue(SMALL).state_dict(), pickled)
    bare = tmp_path / "bare.safetensors"
    save_file({name: value.numpy() for name, value in LightGlue(SMALL).state_dict().items()}, bare)
    for name in (*(entry.name for entry in PUBLISHED), str(pickled), str(bare), str(tmp_path / "none.safetensors")):
        assert load_small_matcher(name) is None
    assert load_small_matcher(DEFAULT) is not None


@pytest.mark.parametrize("broken", ["cut off", "left over", "other shape", "another version"])
def test_what_torch_refuses_is_refused_in_the_same_words(tmp_path: Path, broken: str) -> None:
    path = written(tmp_path, SMALL)
    state = {name: value.numpy() for name, value in LightGlue(SMALL).state_dict().items()}
    header = {"name": "turtle", "config": json.dumps(asdict(SMALL))}
    if broken == "cut off":
        path.write_bytes(path.read_bytes()[:1000])
    elif broken == "another version":
        save_file(state, path, {**header, "config": '{"depth": 3}'})
    else:
        extra = {"more": np.zeros(3, np.float32)} if broken == "left over" else {}
        short = {"transformers.0.self_attn.out_proj.bias": np.zeros(3, np.float32)} if broken == "other shape" else {}
        save_file(state | extra | short, path, header)
    with pytest.raises(WeightsCorrupt) as plain:
        load_matcher(str(path), CPU)
    with pytest.raises(WeightsCorrupt) as small:
        load_small_matcher(str(path))
    assert str(small.value) == str(plain.value)
