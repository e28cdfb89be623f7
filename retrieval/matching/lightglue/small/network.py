"""A LightGlue network without early exit in NumPy: from two photos' keypoints to the matches of the last layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.types import Float32, LocalFeatures, Matches
from retrieval.features import rootsift
from retrieval.matching.lightglue.config import BINS, LightGlueConfig
from retrieval.matching.lightglue.small.layers import (
    Complex64,
    CrossAttention,
    Product,
    SelfAttention,
    State,
    in_range,
    linear,
    over_rows,
)
from retrieval.matching.lightglue.small.room import Room


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A photo's keypoints inside the network.

    Attributes
    ----------
    values : float32 [n, 2 d]
        x, and room for what attention gathers.
    rotary : complex64 [n, d / h / 2]
        Position encoding.
    """

    values: Float32
    rotary: Complex64


class SmallNetwork:
    """`lightglue.LightGlue` for inference, without early exit.

    Parameters
    ----------
    state : mapping of str to float32 array
        All parameters that `expected_shapes` names for `config`, but for those of early exits.
    """

    def __init__(self, state: State, config: LightGlueConfig) -> None:
        self.config = config
        self._input = Product(*linear(state, "input_proj")) if "input_proj.weight" in state else None
        self._frequencies = np.ascontiguousarray(state["posenc.Wr.weight"].T)
        layers = [f"transformers.{layer}" for layer in range(config.n_layers)]
        self._self = [SelfAttention(state, f"{layer}.self_attn", config.num_heads) for layer in layers]
        self._cross = [CrossAttention(state, f"{layer}.cross_attn", config.num_heads) for layer in layers]
        self._assign = Assignment(state, f"log_assignment.{config.n_layers - 1}")

    def tokens(self, photo: LocalFeatures, eighths: int, room: Room) -> Tokens:
        """A photo, turned by so many eighths of a circle, through all that no other photo influences.

        That is the projection, the position encoding and the first self-attention.
        """
        values = np.empty((len(photo), 2 * self.config.descriptor_dim), np.float32)
        described = comparable(photo)
        values[:, : self.config.descriptor_dim] = (
            described if self._input is None else self._input(described, room, "own")
        )
        angles = positions(photo, eighths, self.config) @ self._frequencies
        tokens = Tokens(values, (np.cos(angles) + 1j * np.sin(angles)).astype(np.complex64))
        self._self[0](tokens.values, tokens.rotary, room)
        return tokens

    def match(self, own: Tokens, others: Tokens, room: Room) -> Matches:
        """Keypoints of two photos that prefer each other, all whatever their confidence; overwrites `others`."""
        mine = room.take("tokens", own.values.shape)
        mine[:] = own.values
        for depth, (attend, cross) in enumerate(zip(self._self, self._cross, strict=True)):
            if depth:
                attend(mine, own.rotary, room)
                attend(others.values, others.rotary, room)
            cross(mine, others.values, room)
        dim = self.config.descriptor_dim
        return self._assign(mine[:, :dim], others.values[:, :dim], room)


class Assignment:
    """`lightglue.MatchAssignment` and the choice of mutual matches.

    What is the same for all of a keypoint's counterparts does not change which of them it prefers.
    """

    def __init__(self, state: State, name: str) -> None:
        weight, bias = linear(state, f"{name}.final_proj")
        scale = len(weight) ** -0.25  # each side bears half of it
        self._project = Product(scale * weight, scale * bias)
        self._matchability = Product(*linear(state, f"{name}.matchability"))

    def __call__(self, x0: Float32, x1: Float32, room: Room) -> Matches:
        """For [m, d] and [n, d]."""
        own, other = self._project(x0, room, "own"), self._project(x1, room, "others")
        rows, columns = (
            -np.logaddexp(np.float32(0), -self._matchability(x, room, "matchability")[:, 0]) for x in (x0, x1)
        )
        similarity = np.matmul(own, other.T, out=room.take("similarity", (len(x0), len(x1))))
        over, down = log_sums(similarity, room)
        similarity *= np.float32(2)
        similarity += columns - down
        forth = similarity.argmax(1)
        similarity += (rows - over)[:, None]
        best = similarity[np.arange(len(x0)), forth]
        agreed = np.flatnonzero(best == similarity.max(0)[forth])
        _, first = np.unique(forth[agreed], return_index=True)  # of equals the first
        agreed = agreed[np.sort(first)]
        return Matches(np.stack((agreed, forth[agreed]), 1).astype(np.int32), np.exp(best[agreed]))


def log_sums(similarity: Float32, room: Room) -> tuple[Float32, Float32]:
    """log Σ exp(S) over each row [m] and down each column [n] of S [m, n]."""
    with np.errstate(over="ignore"):
        weights = np.exp(similarity, out=room.take("weights", similarity.shape))
    over, down = over_rows(weights), over_rows(weights.T)
    if in_range(over) and in_range(down):
        return np.log(over), np.log(down)
    sums = []
    for axis in (1, 0):
        highest = similarity.max(axis, keepdims=True)
        sums.append(np.log(np.exp(similarity - highest).sum(axis)) + highest.ravel())
    return sums[0], sums[1]


def comparable(photo: LocalFeatures) -> Float32:
    """Descriptors as networks want them, float32 [n, d]: RootSIFT of SIFT's bytes, else as they are."""
    if photo.descriptors.dtype == np.uint8:
        return rootsift(photo.descriptors.astype(np.uint8, copy=False))
    return photo.descriptors.astype(np.float32)


def positions(photo: LocalFeatures, eighths: int, config: LightGlueConfig) -> Float32:
    """Keypoints [n, 2 or 4] of a photo that is turned by so many eighths, as `lightglue.turned` and `normalise` say."""
    size = np.array(photo.size, np.float32)
    angle = np.float32(2 * np.pi / BINS * eighths)
    orientation = photo.orientation + angle
    cos, sin, middle = np.cos(angle), np.sin(angle), (size - 1) / 2
    right, down = (photo.xy - middle).T
    across, along = cos * right - sin * down, sin * right + cos * down
    parts = [(np.stack((across, along), 1) - np.float32(0.5)) / (size.max() / 2)]  # networks count from size / 2
    if config.add_scale_ori:
        half, circle = np.float32(np.pi), np.float32(2 * np.pi)
        if config.frames == "kornia":
            parts += [photo.scale[:, None], np.remainder(-orientation, circle)[:, None]]
        else:
            parts += [photo.scale[:, None] / 2, (half - np.remainder(half - orientation, circle))[:, None]]
    return np.concatenate(parts, 1, dtype=np.float32)
