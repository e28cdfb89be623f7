"""How the encounters of one id hang together: the tree of their best matches, and what remains when a link is cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.novelty import NoveltyModel
from retrieval.review.pair_scores import PairScore, candidates_of, chance_of_another
from retrieval.review.suspicions import PRIOR_WRONG, Searched
from retrieval.scoring import Candidate


@dataclass(frozen=True, slots=True, eq=False)
class Bond:
    """Two photos of one turtle from two encounters; `height` is how far their score stands out in the search."""

    search: Searched
    pair_score: PairScore
    height: float

    @property
    def encounters(self) -> tuple[int, int]:
        """The two that it joins."""
        return self.search.photo.encounter, self.pair_score.photo.encounter


class Groups:
    """Things that are joined step by step (union-find)."""

    def __init__(self) -> None:
        self._member: dict[object, object] = {}

    def root(self, one: object) -> object:
        """The same for all things of a group."""
        while self._member.setdefault(one, one) != one:
            one = self._member[one]
        return one

    def join(self, first: object, second: object) -> bool:
        """Make one group of two; whether they were two."""
        first, second = self.root(first), self.root(second)
        self._member[second] = first
        return first != second


def bonds_of(one: Searched, novelty: NoveltyModel | None) -> Iterator[Bond]:
    """How a photo matches those of its own id; another id that matches better may be the same turtle, so it is no
    measure of how others match."""
    for pair_score in one.own:
        others = [candidate.score for candidate in one.others[_better(one.others, pair_score) :]]
        height = pair_score.score
        if novelty is not None and novelty.cohort is not None:
            height = float(novelty.cohort.standardise(np.array([pair_score.score, *others]))[0])
        yield Bond(one, pair_score, height)


def _better(others: Sequence[Candidate], pair_score: PairScore) -> bool:
    return bool(others) and others[0].score > pair_score.score


def strongest_tree(bonds: Sequence[Bond]) -> list[Bond]:
    """A tree of the strongest bonds that joins all encounters that were compared (Kruskal), strongest first."""
    groups = Groups()
    return [bond for bond in sorted(bonds, key=lambda bond: -bond.height) if groups.join(*bond.encounters)]


def parts_without(tree: Sequence[Bond], cut: Bond) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The encounters on either side of a bond of the tree."""
    groups = Groups()
    for bond in tree:
        if bond is not cut:
            groups.join(*bond.encounters)
    everyone = {encounter for bond in tree for encounter in bond.encounters}
    first, second = cut.encounters
    return _with(groups, everyone, first), _with(groups, everyone, second)


def _with(groups: Groups, everyone: set[int], end: int) -> tuple[int, ...]:
    return tuple(sorted(one for one in everyone if groups.root(one) == groups.root(end)))


def foreign(bond: Bond, larger: int, novelty: NoveltyModel) -> float:
    """P(the photo shows another turtle than its id says): half a catalogued one, half a new one, before looking.

    Parameters
    ----------
    larger : int
        Photos of the id that it is compared with.
    """
    one = bond.search
    own = candidates_of([bond.pair_score], lambda photo: str(photo.turtle))
    ranking = sorted((*one.others, *own), key=lambda candidate: -candidate.score)
    gallery = replace(
        one.gallery,
        photos=(*one.gallery.photos, bond.pair_score.photo),
        turtle_photos=np.append(one.gallery.turtle_photos, larger),
        gallery_turtles=one.gallery.gallery_turtles + 1,
    )
    return chance_of_another(novelty, ranking, gallery, own[0].turtle, PRIOR_WRONG)


def count(part: Sequence[int], sizes: Mapping[int, int]) -> int:
    """Photos of some encounters."""
    return sum(sizes[encounter] for encounter in part)
