"""LightGlue's layers in NumPy, one pair at a time in float32: the same results as those of `lightglue.LightGlue`.

The scale of attention, the mean that layer normalisation takes off, and an attention's output projection are multiplied
into the weights, and both directions of a cross-attention share their exponentials.

Shapes: m query and n candidate keypoints, d channels in h heads of c. The tokens of a photo are [n, 2 d]: x, and behind
it what attention gathers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from index.types import Float32
from retrieval.matching.lightglue.small.room import Room

Complex64: TypeAlias = npt.NDArray[np.complex64]
Floats: TypeAlias = npt.NDArray[np.floating]
State: TypeAlias = Mapping[str, Float32]
"""Tensors by their names in `lightglue.LightGlue`."""

LEAST = 1e-30
"""Sum of exponentials from which on those that count are far from the smallest float32; its inverse is as far from the
largest."""
EPSILON = 1e-5
"""What layer normalisation adds to a variance."""
NORMAL = (0.79788429, 3.6334150e-02, -3.3026703e-05, -5.5273387e-05, 3.9740708e-06, -1.3378318e-07, 1.8139271e-09)
"""x times this polynomial of x² is artanh(erf(x / √2)), so nearly that x Φ(x) is moved by less than 1e-7 at any x: a
minimax fit of our own. Erf itself would take a third of the time."""


class Product:
    """x Wᵀ + b for `weight` W [e, d] and `bias` b [e], in float32."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        self._weight = np.ascontiguousarray(weight.T, np.float32)
        self._bias = bias.astype(np.float32)

    def __call__(self, x: Float32, room: Room, name: str) -> Float32:
        """[n, e] for `x` [n, d], where `name` lies."""
        found = np.matmul(x, self._weight, out=room.take(name, (len(x), self._weight.shape[1])))
        found += self._bias
        return found


class Update:
    """x + MLP(x, P gathered) with the projection P multiplied into the MLP's first layer."""

    def __init__(self, state: State, mlp: str, projection: str) -> None:
        weight, bias = linear(state, f"{mlp}.0")
        project, offset = linear(state, projection)
        own, message = np.split(weight, 2, 1)
        weight, bias = np.concatenate((own, message @ project), 1), bias + message @ offset
        self._first = Product(weight - weight.mean(0), bias - bias.mean())  # normalisation takes the mean off
        self._gain, self._shift = state[f"{mlp}.1.weight"], state[f"{mlp}.1.bias"]
        weight, bias = linear(state, f"{mlp}.3")
        self._last = Product(weight / 2, bias)

    def __call__(self, tokens: Float32, room: Room) -> None:
        """Update x in `tokens`."""
        hidden = self._first(tokens, room, "hidden")
        variance = np.einsum("ij,ij->i", hidden, hidden) / np.float32(hidden.shape[1])
        hidden *= (1 / np.sqrt(variance + np.float32(EPSILON)))[:, None]
        hidden *= self._gain
        hidden += self._shift
        own = tokens[:, : tokens.shape[1] // 2]
        own += self._last(twice_gelu(hidden, room), room, "last")


def twice_gelu(x: Float32, room: Room) -> Float32:
    """2 x Φ(x), Φ the normal distribution's; overwrites `x`."""
    square, inner = (room.take(name, x.shape) for name in ("square", "inner"))
    np.multiply(x, x, out=square)
    np.multiply(square, np.float32(NORMAL[-1]), out=inner)
    for coefficient in NORMAL[-2:0:-1]:
        inner += np.float32(coefficient)
        inner *= square
    inner += np.float32(NORMAL[0])
    inner *= x
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    x *= inner
    return x


class SelfAttention:
    """`lightglue.SelfAttention`."""

    def __init__(self, state: State, name: str, heads: int) -> None:
        weight, bias = linear(state, f"{name}.Wqkv")
        dim, self._heads = weight.shape[1], heads
        # rows come ordered by head, channel, q/k/v
        order = np.arange(3 * dim).reshape(-1, 3).T.ravel()
        scale = np.ones(3 * dim)
        scale[:dim] = (dim // heads) ** -0.5
        self._project = Product(scale[:, None] * weight[order], scale * bias[order])
        self._update = Update(state, f"{name}.ffn", f"{name}.out_proj")

    def __call__(self, tokens: Float32, rotary: Complex64, room: Room) -> None:
        """Update `tokens`; `rotary` is [n, c / 2]."""
        count, dim = len(tokens), tokens.shape[1] // 2
        projected = self._project(tokens[:, :dim], room, "own")
        turned = projected.view(np.complex64)[:, :dim].reshape(count, 2 * self._heads, -1)
        np.multiply(turned, rotary[:, None], out=turned)
        queries, keys, values = (projected[:, at : at + dim] for at in (0, dim, 2 * dim))
        for head in _heads(dim, self._heads):
            attend(queries[:, head], keys[:, head], values[:, head], tokens[:, dim:][:, head], room)
        self._update(tokens, room)


class CrossAttention:
    """`lightglue.CrossAttention`."""

    def __init__(self, state: State, name: str, heads: int) -> None:
        (weight, bias), (weight_v, bias_v) = linear(state, f"{name}.to_qk"), linear(state, f"{name}.to_v")
        self._heads = heads
        scale = (len(weight) // heads) ** -0.25  # queries are keys here, and each bears half of the scale
        self._project = Product(np.concatenate((scale * weight, weight_v)), np.concatenate((scale * bias, bias_v)))
        self._update = Update(state, f"{name}.ffn", f"{name}.to_out")

    def __call__(self, own: Float32, others: Float32, room: Room) -> None:
        """Update the tokens `own` of m keypoints and `others` of n."""
        dim = own.shape[1] // 2
        mine, theirs = self._project(own[:, :dim], room, "own"), self._project(others[:, :dim], room, "others")
        for head in _heads(dim, self._heads):
            (keys0, values0), (keys1, values1) = (
                (one[:, :dim][:, head], one[:, dim:][:, head]) for one in (mine, theirs)
            )
            attend_both((keys0, values0), (keys1, values1), own[:, dim:][:, head], others[:, dim:][:, head], room)
        self._update(own, room)
        self._update(others, room)


def attend(queries: Float32, keys: Float32, values: Float32, means: Float32, room: Room) -> None:
    """Write softmax(Q Kᵀ) V into `means` [m, c], for Q [m, c], K [n, c] and V [n, c].

    No largest similarity is subtracted first, unless one lies so far from zero that its exponential would be taken for
    nothing or for infinite.
    """
    weights = exponentials(queries, keys, room)
    sums = over_rows(weights)
    if not in_range(sums):
        similarity = queries @ keys.T
        np.exp(similarity - similarity.max(1, keepdims=True), out=weights)
        sums = over_rows(weights)
    np.matmul(weights, values, out=means)
    means /= sums[:, None]


def attend_both(
    own: tuple[Float32, Float32], other: tuple[Float32, Float32], means0: Float32, means1: Float32, room: Room
) -> None:
    """Write softmax(A Bᵀ) V1 into `means0` [m, c] and softmax(B Aᵀ) V0 into `means1` [n, c].

    Parameters
    ----------
    own, other : pair of float32 array
        A and V0 [m, c], B and V1 [n, c].
    """
    (keys0, values0), (keys1, values1) = own, other
    weights = exponentials(keys0, keys1, room)
    over, down = over_rows(weights), over_rows(weights.T)
    if not (in_range(over) and in_range(down)):
        attend(keys0, keys1, values1, means0, room)
        attend(keys1, keys0, values0, means1, room)
        return
    np.matmul(weights, values1, out=means0)
    np.matmul(weights.T, values0, out=means1)
    means0 /= over[:, None]
    means1 /= down[:, None]


def exponentials(queries: Float32, keys: Float32, room: Room) -> Float32:
    """exp(Q Kᵀ) [m, n] in memory that the next ones overwrite; infinite where it is too large."""
    weights = np.matmul(queries, keys.T, out=room.take("weights", (len(queries), len(keys))))
    with np.errstate(over="ignore"):
        return np.exp(weights, out=weights)


def over_rows(weights: Float32) -> Float32:
    """The sum of each row, by a matrix product, which is faster; infinite or NaN where it is too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(weights @ np.ones(weights.shape[1], np.float32))


def in_range(sums: Float32) -> bool:
    """Whether all of these sums of exponentials are as exact as those of moderate numbers."""
    return bool(sums.min() > LEAST and sums.max() < 1 / LEAST)


def linear(state: State, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weight [e, d] and bias [e] of a linear layer, in double precision to be multiplied with others."""
    return state[f"{name}.weight"].astype(np.float64), state[f"{name}.bias"].astype(np.float64)


def _heads(dim: int, heads: int) -> Iterator[slice]:
    step = dim // heads
    return (slice(first, first + step) for first in range(0, dim, step))
