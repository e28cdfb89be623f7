"""Inner loops of nearest neighbours and of geometric verification, compiled (Numba): threads run them side by side.

Operations of NumPy on small arrays keep the threads of one interpreter waiting for each other: two looked at 1.3 times
as many pairs as one. These loops release the interpreter for a whole block of pairs. They are compiled when they are
first called, which takes some seconds, and kept beside this file or in the user's cache.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from index.types import Float32, Int32, Int64

P = ParamSpec("P")
R = TypeVar("R")

STEPS = 1 << 18
"""Parts of one in which confidences vote, as whole numbers: their sums do not depend on the order."""
FASTMATH = {"nnan", "nsz", "ninf"}
"""What compiled code need not care about: there is neither NaN nor infinity, and no zero has a sign that matters."""
SAME = np.float32(1e-3)
"""Distance up to which unit vectors are the same: rounding of their product alone may put them 5e-4 apart."""
RANK = 1e-12
"""Smallest eigenvalue of normal equations that counts, as a share of the largest: matches on a line leave one out."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compiled at the first call; what was compiled is kept where it can be, else compiled by every process."""
    try:
        fast = _dispatcher(function, kept=True)
    except RuntimeError:  # neither beside this file nor in the user's cache can anything be written
        fast = _dispatcher(function, kept=False)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal fast
        try:
            return fast(*args, **kwargs)
        except (OSError, EOFError, pickle.UnpicklingError):  # no room to keep it, or what was kept is damaged
            fast = _dispatcher(function, kept=False)
            return fast(*args, **kwargs)

    return call


def _dispatcher(function: Callable[P, R], *, kept: bool) -> Callable[P, R]:
    return numba.njit(cache=kept, nogil=True, error_model="numpy", fastmath=FASTMATH)(function)


@compiled
def mutual_neighbours(
    similarity: Float32, starts: Int64, own: Int32, other: Int32, confidence: Float32, ends: Int64
) -> None:
    """Mutual nearest neighbours of a query's n unit vectors with those of several candidates.

    Parameters
    ----------
    similarity : float32 [m, n]
        Of the candidates' vectors, one candidate after the other, with the query's.
    starts : int64 [candidates + 1]
        Where each candidate's rows begin, and end; each has some.
    own, other : int32 [n * candidates]
        Are filled with vectors of the query and of the candidate, in order of the query's.
    confidence : float32 [n * candidates]
        Is filled with one minus the distance ratio, the larger of both directions; 0 if the second nearest is the same.
    ends : int64 [candidates + 1]
        Is filled with where each candidate's matches begin, and end.
    """
    rows, n = similarity.shape
    row_best = np.empty(rows, np.float32)
    taken = np.zeros(rows, np.bool_)
    best, second = np.empty(n, np.float32), np.empty(n, np.float32)
    nearest = np.empty(n, np.int32)
    found = 0
    for candidate in range(len(starts) - 1):
        best[:], second[:], nearest[:] = -2.0, -2.0, 0
        for row in range(starts[candidate], starts[candidate + 1]):
            values, at = similarity[row], np.int32(row)
            most = np.float32(-2.0)
            for column in range(n):
                most = max(most, values[column])
            row_best[row] = most
            for column in range(n):
                value, until_now = values[column], best[column]
                second[column] = max(second[column], min(value, until_now))
                nearest[column] = at if value > until_now else nearest[column]
                best[column] = max(value, until_now)
        for column in range(n):
            mate = nearest[column]
            if best[column] != row_best[mate] or taken[mate]:  # taken: of equals the first
                continue
            taken[mate] = True
            values, beside = similarity[mate], second[column]
            for before in range(column):
                beside = max(beside, values[before])
            for after in range(column + 1, n):
                beside = max(beside, values[after])
            near = np.sqrt(max(np.float32(2.0) - np.float32(2.0) * best[column], np.float32(0.0)))
            far = np.sqrt(max(np.float32(2.0) - np.float32(2.0) * max(beside, np.float32(-1.0)), np.float32(0.0)))
            own[found], other[found] = column, mate - starts[candidate]
            confidence[found] = max(np.float32(1.0) - near / far, np.float32(0.0)) if far > SAME else np.float32(0.0)
            found += 1
        ends[candidate + 1] = found


@compiled
def on_one_map(
    frames: Float32,
    weight: Float32,
    ends: Int64,
    coarse: Float32,
    fine: Float32,
    zoom: np.float32,
    turn: np.float32,
    fewest: int,
    kept: npt.NDArray[np.bool_],
) -> None:
    """Which matches of several pairs one affine map explains; the rule is that of `verification.verify`.

    Parameters
    ----------
    frames : float32 [6, m]
        Matches, one pair after the other: x and y in the first photo and in the second, logarithm of the scale's ratio,
        difference of orientations in radians.
    weight : float32 [m]
        Confidences.
    ends : int64 [pairs + 1]
        Where the matches of each pair begin, and end.
    coarse, fine : float32 [pairs]
        Squares of the tolerances, pixels.
    zoom, turn : float32
        Largest difference of `frames[4]`, and smallest cosine of one of `frames[5]`.
    fewest : int
        Matches that have to agree.
    kept : bool [m]
        Is filled with True where a match is explained; has to be False elsewhere before.
    """
    for pair in range(len(ends) - 1):
        first, last = ends[pair], ends[pair + 1]
        if last - first < fewest:
            continue
        inliers, plausible = _most_agreed(frames, weight, first, last, coarse[pair], zoom, turn)
        for _ in range(3):
            if inliers.sum() < fewest:
                break
            before = inliers
            inliers = _explained(frames, weight, first, last, inliers, plausible, fine[pair])
            if (inliers == before).all():  # and would stay as they are
                break
        if inliers.sum() >= fewest:
            kept[first:last] = inliers


@register_jitable(fastmath=FASTMATH)
def _most_agreed(
    frames: Float32,
    weight: Float32,
    first: int,
    last: int,
    coarse: np.float32,
    zoom: np.float32,
    turn: np.float32,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Who agrees with the similarity that most weight agrees with, and who does in scale and orientation at least."""
    x, y, to_x, to_y = frames[0, first:last], frames[1, first:last], frames[2, first:last], frames[3, first:last]
    log_zoom, angle = frames[4, first:last], frames[5, first:last]
    m = last - first
    cosine, sine = np.cos(angle), np.sin(angle)
    along, across = np.exp(log_zoom) * cosine, np.exp(log_zoom) * sine
    votes = np.empty(m, np.int32)
    for match in range(m):
        votes[match] = np.int32(np.rint(weight[first + match] * np.float32(STEPS)))
    near, alike = np.zeros(m, np.bool_), np.zeros(m, np.bool_)
    best: int = 0
    most = np.int32(-1)
    for one in range(m + 1):  # at last, the best once more
        by = one if one < m else best
        a, b, z, c, s = along[by], across[by], log_zoom[by], cosine[by], sine[by]
        shift_x, shift_y = to_x[by] - (a * x[by] - b * y[by]), to_y[by] - (a * y[by] + b * x[by])
        total = np.int32(0)
        for other in range(m):
            off_x = shift_x + a * x[other] - b * y[other] - to_x[other]
            off_y = shift_y + a * y[other] + b * x[other] - to_y[other]
            same = (abs(z - log_zoom[other]) < zoom) & (c * cosine[other] + s * sine[other] > turn)
            agrees = same & (off_x * off_x + off_y * off_y < coarse)
            total += votes[other] if agrees else np.int32(0)
            alike[other], near[other] = same, agrees
        if total > most:
            best, most = one, total
    return near, alike | near


@register_jitable
def _explained(
    frames: Float32,
    weight: Float32,
    first: int,
    last: int,
    inliers: npt.NDArray[np.bool_],
    plausible: npt.NDArray[np.bool_],
    fine: np.float32,
) -> npt.NDArray[np.bool_]:
    """The plausible matches near to where the affine map puts them that fits the inliers best, by least squares."""
    x, y, to_x, to_y = frames[0, first:last], frames[1, first:last], frames[2, first:last], frames[3, first:last]
    normal, right = np.zeros((3, 3)), np.zeros((3, 2))
    for match in np.flatnonzero(inliers):
        share = np.float64(weight[first + match])
        place = (np.float64(x[match]), np.float64(y[match]), np.float64(1.0))
        target = (np.float64(to_x[match]), np.float64(to_y[match]))
        for i in range(3):
            for j in range(3):
                normal[i, j] += share * place[i] * place[j]
            for j in range(2):
                right[i, j] += share * place[i] * target[j]
    values, vectors = np.linalg.eigh(normal)
    affine = np.zeros((3, 2))
    for part in range(3):
        if values[part] > RANK * values[2]:
            for j in range(2):
                length = 0.0
                for i in range(3):
                    length += vectors[i, part] * right[i, j]
                for i in range(3):
                    affine[i, j] += vectors[i, part] * length / values[part]
    near = np.zeros(last - first, np.bool_)
    for other in range(last - first):
        off_x = x[other] * affine[0, 0] + y[other] * affine[1, 0] + affine[2, 0] - to_x[other]
        off_y = x[other] * affine[0, 1] + y[other] * affine[1, 1] + affine[2, 1] - to_y[other]
        near[other] = plausible[other] & (off_x * off_x + off_y * off_y < fine)
    return near
