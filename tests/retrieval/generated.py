"""Catalogues whose scores are drawn, with known truth; the fitter sees none of these parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from index.types import Float64, Int64
from retrieval.novelty.calibration import Occasion, Searched
from retrieval.novelty.posterior import Candidates
from retrieval.novelty.samples import GenuineScores, ImpostorMaxima
from retrieval.scoring.normalization import TNorm


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Scores and photo counts of the shortlisted wrong turtles, float64 and int64 [queries, k].

    `effect` is how much each query resembles everything, `cut` the similarity that a turtle needs to be shortlisted.
    """

    score: Float64
    photos: Int64
    effect: Float64
    cut: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Queries with known truth: `new`, and for the others the true turtle's candidate number (-1: not shortlisted)."""

    candidates: tuple[Candidates, ...]
    new: npt.NDArray[np.bool_]
    true: Int64


class World:
    """Turtles with unequal numbers of photos, a shared effect in every query, and a shortlist by similarity.

    Parameters
    ----------
    shared : float
        Share of a wrong score's variance that all scores of the query have in common.
    bounded : bool
        Scores between 0 and 1 with a thin upper tail, instead of log-normal ones.
    """

    def __init__(self, seed: int, turtles: int, shared: float = 0.25, bounded: bool = False, gap: float = 3.2) -> None:
        self.rng = np.random.default_rng(seed)
        self.turtles, self.shared, self.bounded, self.gap = turtles, shared, bounded, gap
        self.photos = 1 + self.rng.geometric(0.3, turtles)
        self.quality = self.rng.normal(size=turtles)

    def impostors(self, queries: int, gallery: int, shortlist: int = 50) -> Search:
        """Search turtles that are not there; the most similar ones of a large gallery are drawn directly."""
        k, rng = min(shortlist, gallery), self.rng
        effect = rng.normal(size=queries)
        spacing = np.cumsum(rng.exponential(size=(queries, k)), axis=1)
        similarity = -ndtri(spacing / (spacing[:, -1:] + rng.gamma(gallery + 1 - k, size=(queries, 1))))
        own = 0.6 * similarity + 0.8 * rng.normal(size=(queries, k))
        photos = rng.choice(self.photos, (queries, k))
        latent = np.sqrt(self.shared) * effect[:, None] + np.sqrt(1 - self.shared) * (own + 0.35 * np.log(photos))
        cut = similarity[:, -1] if gallery > k else np.full(queries, -np.inf)
        return Search(self._score(latent), photos, effect, cut)

    def genuine(self, turtle: Int64, photos: Int64, search: Search) -> Float64:
        """Scores of the true turtles in these searches, NaN where they are not shortlisted."""
        rng = self.rng
        best = np.array([rng.normal(size=n).max() for n in photos])
        photo = np.sqrt(0.7) * rng.normal(size=len(turtle)) + np.sqrt(0.3) * self.quality[turtle]
        own = self.gap + 0.8 * best + 0.6 * photo
        similarity = 0.6 * own + 0.8 * rng.normal(size=len(turtle)) + 0.5
        latent = np.sqrt(self.shared) * search.effect + np.sqrt(1 - self.shared) * own
        return np.where(similarity > search.cut, self._score(latent), np.nan)

    def cohort(self, queries: int = 200) -> TNorm:
        """How the wrong turtles of a query score."""
        return TNorm.fit(list(self.impostors(queries, self.turtles - 1).score))

    def impostor_maxima(
        self, individuals: int, photos_each: int = 3, sizes: int = 6, cohort: TNorm | None = None
    ) -> ImpostorMaxima:
        """Sub-galleries of up to all other turtles."""
        rows = self._queried(individuals, photos_each)
        at = np.arange(len(rows))
        parts = []
        for gallery in np.unique(np.geomspace(max(5, self.turtles / 30), self.turtles - 1, sizes).astype(np.int64)):
            found = self.impostors(len(rows), int(gallery))
            winner, score = found.score.argmax(axis=1), _standard(found.score, cohort)
            parts.append(
                ImpostorMaxima(score[at, winner], rows, at, np.full(len(rows), gallery), found.photos[at, winner])
            )
        names = ("score", "individual", "query", "gallery", "photos")
        return ImpostorMaxima(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def genuine_scores(self, individuals: int, photos_each: int = 3, cohort: TNorm | None = None) -> GenuineScores:
        """Searches with one photo left out."""
        rows = self._queried(individuals, photos_each)
        left = self.photos[rows] - 1
        search = self.impostors(len(rows), self.turtles - 1)
        own = self.genuine(rows, left, search)
        with_own = np.column_stack((search.score, np.where(np.isnan(own), search.score[:, 0], own)))
        standard = _standard(with_own, cohort)
        second, best = np.sort(standard[:, :-1], axis=1)[:, -2:].T
        gallery = np.full(len(rows), self.turtles)
        return GenuineScores(np.where(np.isnan(own), np.nan, standard[:, -1]), rows, left, best, second, gallery)

    def occasions(self, individuals: int, photos_each: int = 3, cohort: TNorm | None = None) -> list[Occasion]:
        """One encounter of each turtle among all others, and among all with its other photos."""
        found = []
        for catalogued in (False, True):
            rows = self._queried(individuals, photos_each)
            searched = self.searched(
                rows, self.photos[rows] - 1 if catalogued else np.zeros(len(rows), np.int64), cohort
            )
            for turtle in np.unique(rows):
                of_turtle = tuple(searched[row] for row in np.flatnonzero(rows == turtle))
                found.append(Occasion(int(turtle), catalogued, of_turtle))
        return found

    def searched(self, turtle: Int64, references: Int64, cohort: TNorm | None = None) -> list[Searched]:
        """Photos of these turtles among all others, and among so many photos of their own (0: taken out)."""
        search = self.impostors(len(turtle), self.turtles - 1)
        own = self.genuine(turtle, np.maximum(references, 1), search)
        found = []
        for row, true in enumerate(turtle):
            code = self.rng.permutation(np.delete(np.arange(self.turtles), true))[: search.score.shape[1]]
            score, photos = search.score[row], search.photos[row]
            if references[row] and not np.isnan(own[row]):
                code, score = np.append(code, true), np.append(score, own[row])
                photos = np.append(photos, references[row])
            standard = score if cohort is None else cohort.standardise(score)
            size = self.turtles - 1 + int(references[row] > 0)
            found.append(Searched(Candidates(code, standard, photos), size, None, int(references[row])))
        return found

    def queries(self, number: int, gallery: int, new: float = 0.5) -> Queries:
        """Photos of which the share `new` shows turtles that are not in the gallery."""
        is_new = self.rng.random(number) < new
        turtle = self.rng.integers(self.turtles, size=number)
        search = self.impostors(number, gallery)
        genuine = self.genuine(turtle, self.photos[turtle], search)
        score, photos = search.score, search.photos
        there = ~is_new & ~np.isnan(genuine)
        score[there, -1], photos[there, -1] = genuine[there], self.photos[turtle][there]
        code = np.arange(score.shape[1])
        candidates = tuple(Candidates(code, s, n) for s, n in zip(score, photos, strict=True))
        return Queries(candidates, is_new, np.where(there, code[-1], -1))

    def _queried(self, individuals: int, photos_each: int) -> Int64:
        chosen = self.rng.choice(self.turtles, min(individuals, self.turtles), replace=False)
        return np.repeat(chosen, np.minimum(self.photos[chosen], photos_each))

    def _score(self, latent: Float64) -> Float64:
        return np.asarray(ndtr((latent - 2) / 2) if self.bounded else np.exp(latent / 2) / 20)


def _standard(scores: Float64, cohort: TNorm | None) -> Float64:
    return scores if cohort is None else np.array([cohort.standardise(row) for row in scores])
