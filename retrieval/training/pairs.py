"""Pairs of a catalogue's photos that a matcher learns from: who is compared with whom, and what is to be learnt."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from index.types import Int64, LocalFeatures, Matches
from retrieval.matching import Matcher, Verification, first_stage, strength, verified
from retrieval.matching.lightglue import Assignment, LightGlue, LightGlueMatcher
from retrieval.pipeline import PairBatch, PairPool
from retrieval.training.sampling import LabelledPhotos

MARGIN = 1.0
"""By so much the logarithm of the expected number of matches of a positive pair is to exceed a negative one's."""
KEEP, BEHIND = 10, 1e6
"""Photos that the network sees of those that a photo is compared with, and how far the others stand behind them."""
AMONG = 16
"""Photos of other turtles that are drawn for each anchor, of which the hardest is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPhotos:
    """Photos with their features, and the first looks at their pairs as far as they were asked for.

    Attributes
    ----------
    pool : PairPool or None
        Takes the first looks that are planned; None takes each when it is asked for.
    """

    features: Sequence[LocalFeatures]
    photos: LabelledPhotos
    pool: PairPool | None = None
    _seen: dict[tuple[int, int], Matches] = field(default_factory=dict)

    @property
    def anchors(self) -> Int64:
        """Rows of photos that have a partner on another occasion."""
        return np.flatnonzero([len(self._partners(row)) > 0 for row in range(len(self.photos))])

    def _partners(self, row: int) -> Int64:
        same = self.photos.sides == self.photos.sides[row]
        return np.flatnonzero(same & (self.photos.occasions != self.photos.occasions[row]))

    def _strangers(self, row: int) -> Int64:
        """Photos of other turtles from the same side of the head."""
        side = self.photos.photos[row].side
        facing = np.array([photo.side is side for photo in self.photos.photos])
        return np.flatnonzero(facing & (self.photos.turtles != self.photos.turtles[row]))

    def drawn(self, row: int, negatives: int, rng: np.random.Generator) -> list[int]:
        """A partner at random and strangers behind it, from whom `beside` takes `negatives`."""
        partner = int(rng.choice(self._partners(row)))
        return [partner, *rng.permutation(self._strangers(row))[: max(AMONG, negatives)].tolist()]

    def beside(self, row: int, drawn: Sequence[int], negatives: int) -> list[int]:
        """The partner, the hardest of the strangers, and further ones: 1 + `negatives` rows, or fewer."""
        partner, *strangers = drawn
        looks = self.looks(row, strangers)
        hardest = int(np.argmax([strength(look.confidence) for look in looks]))
        others = [other for place, other in enumerate(strangers) if place != hardest]
        return [partner, strangers[hardest], *others[: negatives - 1]]

    def plan(self, wanted: Iterable[tuple[int, Sequence[int]]]) -> None:
        """Have the pool look at rows with others, each pair once, so that `looks` knows them; else nothing."""
        if self.pool is None:
            return
        rows: dict[tuple[str, ...], tuple[int, list[int]]] = {}
        for row, others in wanted:
            new = [other for other in others if (row, other) not in self._seen]
            if new:
                rows[tuple(self.photos.photos[one].key for one in (row, *new))] = row, new
        batches = (PairBatch(keys, partial(self._at, [row, *new])) for keys, (row, new) in rows.items())
        for batch, found in self.pool.looks(batches):
            row, new = rows[batch.keys]
            self._seen.update({(row, other): look for other, look in zip(new, found, strict=True)})

    def _at(self, rows: Sequence[int], places: Sequence[int]) -> list[LocalFeatures]:
        return [self.features[rows[place]] for place in places]

    def looks(self, row: int, others: Sequence[int]) -> list[Matches]:
        """Verified nearest neighbours of a photo with others."""
        new = [other for other in others if (row, other) not in self._seen]
        found = first_stage(self.features[row], [self.features[other] for other in new])
        self._seen.update({(row, other): look for other, look in zip(new, found, strict=True)})
        return [self._seen[row, other] for other in others]

    def ranks(self, network: LightGlue, device: torch.device, asked: Int64) -> Int64:
        """At which place photos, by rows with a partner, find another of their turtle and side, int64 [asked].

        Each is asked about among all photos of other occasions that show the same side of a head. The network sees the
        `KEEP` that look most alike at first, as in a search; the others stand behind them.
        """
        matcher = LightGlueMatcher(copy.deepcopy(network).eval(), "in training", device)
        self.plan((int(row), self._others(int(row)).tolist()) for row in asked)
        return np.array([self._rank(matcher, int(row)) for row in asked], np.int64)

    def _others(self, row: int) -> Int64:
        """Photos of other occasions that show the same side of a head."""
        facing = np.array([photo.side is self.photos.photos[row].side for photo in self.photos.photos])
        return np.flatnonzero(facing & (self.photos.occasions != self.photos.occasions[row]))

    def _rank(self, matcher: Matcher, row: int) -> int:
        others = self._others(row)
        looks = self.looks(row, others.tolist())
        like = np.array([strength(look.confidence) - BEHIND for look in looks])
        seen = np.argsort(-like, kind="stable")[:KEEP]
        query, compared = self.features[row], [self.features[int(others[place])] for place in seen]
        found = matcher.match(query, compared, [looks[place] for place in seen])
        like[seen] = [strength(one.confidence) for one in verified(query, compared, found, Verification())]
        right = self.photos.sides[others] == self.photos.sides[row]
        return 1 + int((like[~right] >= like[right].max()).sum())  # whoever tells nothing apart finds nobody


def triplet_loss(assigned: Assignment) -> Tensor:
    """How far the first pair's expected number of matches fails to exceed each other pair's, as logarithms."""
    evidence = assigned.log_scores.flatten(1).logsumexp(1)
    return F.relu(MARGIN + evidence[1:] - evidence[:1]).mean()


def correspondence_loss(assigned: Assignment, look: Matches) -> Tensor:
    """The first pair's verified matches are to be found, and nothing in the others (equation 11 of LightGlue)."""
    own, other = look.pairs[look.confidence > 0].T
    inside = other < assigned.log_scores.shape[2]
    unmatched = F.softplus(assigned.matchability0[1:]).mean() + F.softplus(assigned.matchability1[1:]).mean()
    if not inside.any():
        return 0.5 * unmatched
    rows, columns = (torch.from_numpy(one[inside].astype(np.int64)) for one in (own, other))
    return 0.5 * unmatched - assigned.log_scores[0, rows, columns].mean()
