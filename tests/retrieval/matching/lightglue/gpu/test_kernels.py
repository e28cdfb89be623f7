"""The kernels for GPUs against torch; where there is no GPU, Triton interprets them on the CPU (see conftest)."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from math import log
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.matching.lightglue import matcher as batching
from retrieval.matching.lightglue.assignment import FusedAssignment
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.fused import FusedLayer
from retrieval.matching.lightglue.gpu import layers as accelerated
from retrieval.matching.lightglue.gpu.layers import TiledLayer, beside, kernels_for
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue, MatchAssignment, TransformerLayer
from retrieval.matching.lightglue.workspace import Workspace
from tests.retrieval.oracles import CPU, TOY, decided_network, random_features

pytest.importorskip("triton")
from retrieval.matching.lightglue.gpu import kernels

pytestmark = pytest.mark.whole

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPE = torch.bfloat16 if torch.cuda.is_available() else torch.float32
NEAR = 2e-2 if torch.cuda.is_available() else 1e-5
"""Relative error: of one operation in bfloat16, of sums in another order in float32."""

sizes = pytest.mark.parametrize(("width", "heads"), [(256, 4), (96, 2), (64, 4)])


def some(*shape: int) -> Tensor:
    return torch.randn(shape).to(DEVICE, DTYPE)


def assert_near(found: Tensor, wanted: Tensor) -> None:
    error = (found.double() - wanted.double()).norm() / wanted.double().norm()
    assert error < NEAR


@sizes
def test_queries_and_keys_are_turned_and_values_are_not(width: int, heads: int) -> None:
    torch.manual_seed(0)
    qkv, angles = some(75, 3 * width), torch.randn(75, width // heads // 2, device=DEVICE)
    x, y = qkv.view(75, 3, heads, 2, -1).float().unbind(3)
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    wanted = torch.stack((x * cos - y * sin, x * sin + y * cos), 3)
    wanted[:, 2] = torch.stack((x, y), 3)[:, 2]
    kernels.rotate(qkv, torch.polar(torch.ones_like(angles), angles), heads)
    assert_near(qkv.view_as(wanted), wanted)


@sizes
def test_layer_norm_and_gelu_of_values_far_from_zero(width: int, heads: int) -> None:
    torch.manual_seed(1)
    hidden, scale, shift = some(75, 2 * width) + 30, some(2 * width), some(2 * width)
    wanted = F.gelu(F.layer_norm(hidden.double(), hidden.shape[1:], scale.double(), shift.double()))
    kernels.norm_gelu(hidden, scale, shift, 1e-5)
    assert_near(hidden, wanted)


@pytest.mark.parametrize(("m", "n", "width"), [(75, 130, 256), (1, 3, 96), (128, 64, 72)])
def test_similarities_are_nearly_as_exact_as_in_float32(m: int, n: int, width: int) -> None:
    torch.manual_seed(6)
    first, second = torch.randn(3, m, width, device=DEVICE), torch.randn(3, n, width, device=DEVICE)
    bias = torch.randn(n, device=DEVICE)
    wanted = first.double() @ second.double().mT
    for found, of_all in ((kernels.similarities(first, second), 0), (kernels.similarities(first, second, bias), bias)):
        error = (found - (wanted + of_all)).abs().max()
        assert error < 4 * ((first @ second.mT - wanted).abs().max() + 1e-6)


@pytest.mark.parametrize(("m", "n"), [(75, 130), (130, 75), (1, 3), (16, 128)])
def test_sums_and_favourites_of_rows_and_columns(m: int, n: int) -> None:
    torch.manual_seed(2)
    similarity = 10 * torch.randn(3, m, n, device=DEVICE)
    rows, columns = kernels.log_sums(similarity)
    assert torch.allclose(rows, similarity.logsumexp(2), atol=1e-4)
    assert torch.allclose(columns, similarity.logsumexp(1), atol=1e-4)
    best, forth, back = kernels.favourites(similarity, rows, columns)
    scores = 2 * similarity + columns[:, None]
    assert torch.equal(forth, scores.argmax(2))
    assert torch.equal(best, scores.amax(2))
    assert torch.equal(back, (2 * similarity + rows[:, :, None]).argmax(1))


def test_of_equals_the_first_is_the_favourite() -> None:
    equal = torch.ones(1, 40, 300, device=DEVICE)
    _, forth, back = kernels.favourites(equal, torch.zeros(1, 40, device=DEVICE), torch.zeros(1, 300, device=DEVICE))
    assert not forth.any()
    assert not back.any()


@torch.inference_mode()
@pytest.mark.parametrize(("dim", "heads"), [(64, 2), (96, 2)])
def test_layers_with_kernels_as_the_plain_ones(dim: int, heads: int) -> None:
    torch.manual_seed(3)
    network = LightGlue(LightGlueConfig(input_dim=dim, descriptor_dim=dim, n_layers=2, num_heads=heads)).to(DEVICE)
    x0, x1 = (torch.randn(2, count, dim, device=DEVICE) for count in (70, 33))
    rotary0, rotary1 = (network.posenc(torch.rand(2, len(x[0]), 2, device=DEVICE)) for x in (x0, x1))
    fused0, fused1, room = beside(x0.to(DTYPE)), beside(x1.to(DTYPE)), Workspace()
    before = None
    for layer in network.transformers:
        assert isinstance(layer, TransformerLayer)
        x0, x1 = layer(x0, x1, rotary0, rotary1)
        before = FusedLayer(layer, before, DEVICE, DTYPE)
        layered = TiledLayer(before, kernels)
        layered.self_attention(fused0, torch.complex(rotary0.cos, rotary0.sin), room)
        layered.self_attention(fused1, torch.complex(rotary1.cos, rotary1.sin), room)
        layered.cross_attention(fused0, fused1, room)
        assert_near(fused0 + before.offset, x0)
        assert_near(fused1 + before.offset, x1)


@pytest.mark.parametrize("exit_share", [None, 0.4])
def test_a_matcher_with_kernels_as_one_without(exit_share: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    network = decided_network(replace(TOY, depth_confidence=exit_share, n_layers=TOY.n_layers if exit_share else 2))
    query = random_features(0, 40, TOY)
    candidates = [random_features(seed, 30, TOY, shared) for seed, shared in enumerate((0.7, 0.9, 0.5, 0.3), 1)]
    candidates += [random_features(5, 1, TOY), random_features(6, 50, TOY)]
    plain, rounded = (
        LightGlueMatcher(network, "toy", device, precision).match(query, candidates)
        for device, precision in ((CPU, torch.float32), (DEVICE, DTYPE))
    )
    monkeypatch.setattr(batching, "kernels_for", lambda *_: kernels)
    matcher, staying = LightGlueMatcher(network, "toy", DEVICE, DTYPE, threads=1), []

    def taken(tokens: batching.Tokens, rows: Tensor) -> batching.Tokens:
        staying.append((len(tokens.x), len(rows)))
        return LightGlueMatcher.take_rows(matcher, tokens, rows)

    monkeypatch.setattr(matcher, "take_rows", taken)
    found = matcher.match(query, candidates)
    assert any(len(one) for one in plain)
    if exit_share is not None:
        assert any(0 < after < before for before, after in staying)
    sums, exact, roughly = (np.array([one.confidence.sum() for one in each]) for each in (found, plain, rounded))
    # what a whole network makes of rounding is measured: torch's own in the same precision
    assert np.abs(sums - exact).max() < NEAR * max(1.0, exact.max()) + 2 * np.abs(roughly - exact).max()
    for mine, theirs in zip(found, plain, strict=True):
        if torch.float32 == DTYPE:
            assert np.array_equal(mine.pairs, theirs.pairs)


def test_kernels_are_for_wide_layers_in_bfloat16_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.setattr(accelerated, "working_kernels", lambda *_: kernels)
    assert kernels_for(256, 4, gpu, torch.bfloat16) is kernels
    assert kernels_for(96, 2, gpu, torch.bfloat16) is None
    assert kernels_for(256, 4, gpu, torch.float32) is None
    assert kernels_for(256, 4, gpu, torch.float16) is None
    assert kernels_for(256, 4, torch.device("cpu"), torch.bfloat16) is None


@pytest.fixture
def as_if_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[tuple[int, int]], ModuleType | None]]:
    """Asks for kernels for a GPU of this capability; where there is none, the CPU's interpreter runs them."""
    accelerated.working_kernels.cache_clear()

    def ask(capability: tuple[int, int]) -> ModuleType | None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        if DEVICE.type == "cpu":
            monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
        return accelerated.working_kernels(96, 2, DEVICE)

    yield ask
    accelerated.working_kernels.cache_clear()


def test_attention_is_tried_with_and_without_masks(
    as_if_on: Callable[[tuple[int, int]], ModuleType | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, attend = set(), kernels.attend

    def spy(queries: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
        tried.add(keys.shape[2] % kernels.ATTEND.columns == 0)
        attend(queries, keys, values, out)

    monkeypatch.setattr(kernels, "attend", spy)
    assert as_if_on((9, 0)) is kernels
    assert tried == {True, False}


def test_kernels_run_on_gpus_since_ampere(as_if_on: Callable[[tuple[int, int]], ModuleType | None]) -> None:
    assert as_if_on((7, 5)) is None
    accelerated.working_kernels.cache_clear()
    assert as_if_on((8, 6)) is kernels


@pytest.mark.parametrize("name", ["rotate", "attend", "norm_gelu", "similarities", "log_sums", "favourites"])
def test_where_one_of_them_cannot_run_torch_does_the_work(
    name: str, as_if_on: Callable[[tuple[int, int]], ModuleType | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(kernels, name, fail)
    assert as_if_on((9, 0)) is None


@torch.inference_mode()
def test_assignment_with_kernels_as_without() -> None:
    torch.manual_seed(4)
    head = MatchAssignment(64).to(DEVICE)
    x0, x1 = 3 * torch.randn(2, 50, 64, device=DEVICE), 3 * torch.randn(2, 70, 64, device=DEVICE)
    plain = FusedAssignment(head, DEVICE)(x0, x1, Workspace())
    found = FusedAssignment(head, DEVICE, kernels)(x0, x1, Workspace())
    assert torch.equal(plain.partner, found.partner)
    assert (plain.partner >= 0).any()
    assert torch.allclose(plain.confidence, found.confidence, atol=1e-6)


overflows = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # as intended, and seen by numpy where it interprets


@overflows
@pytest.mark.parametrize(("heads", "channels"), [(4, 64), (2, 48)])
@pytest.mark.parametrize(("m", "n", "large"), [(75, 128, 1.0), (128, 75, 1.0), (40, 130, 60.0), (40, 64, 60.0)])
def test_attention_whatever_the_size_of_similarities(heads: int, channels: int, m: int, n: int, large: float) -> None:
    torch.manual_seed(5)
    q = (large * some(2, m, heads, channels) / channels**0.5).transpose(1, 2)
    k, v = some(2, n, 2, heads, channels).permute(2, 0, 3, 1, 4)
    wanted = F.scaled_dot_product_attention(q.double(), k.double(), v.double(), scale=log(2))
    found = torch.full((2, m, heads * channels), torch.nan, device=DEVICE, dtype=DTYPE)
    kernels.attend(q, k, v, found)
    assert found.isfinite().all()
    assert_near(found, wanted.transpose(1, 2).flatten(2))


@overflows
def test_attention_where_every_similarity_is_far_below_zero() -> None:
    q, k, v = -300 * torch.ones(1, 1, 5, 32), torch.ones(1, 1, 9, 32), torch.randn(1, 1, 9, 32)
    q, k, v = (one.to(DEVICE, DTYPE) for one in (q, k, v))
    found = torch.full((1, 5, 32), torch.nan, device=DEVICE, dtype=DTYPE)
    kernels.attend(q, k, v, found)
    assert_near(found[0], v[0].mean(1).expand(5, 32))
