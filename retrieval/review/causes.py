"""What two ids that match have in common: one turtle under two ids, or encounters of one that lie under the other.

The encounters of both ids are joined where their photos match as those of one turtle do, within an id or across.
Where most photos of both ids end up together, the ids are one turtle. Otherwise each id keeps the group that holds most
of its photos, and an encounter in the other id's group lies under the wrong one: to merge them would join two turtles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from index.types import Photo
from retrieval.novelty import NoveltyModel
from retrieval.review.bonds import Bond, Groups, count, foreign, parts_without, strongest_tree
from retrieval.review.suspicions import Finding, Kind

ANOTHER = 0.5
"""Where it is more probable that two encounters of an id show two turtles, they do not hang together."""


class Individuals:
    """Which encounters of each id hang together, looked at when it is asked about."""

    def __init__(
        self,
        photos: Sequence[Photo],
        bonds: Mapping[str, Sequence[Bond]],
        sizes: Mapping[int, int],
        model: NoveltyModel,
    ) -> None:
        self._bonds, self._sizes, self._model = bonds, sizes, model
        self._together: dict[str, list[tuple[int, int]]] = {}
        self._encounters: dict[str, set[int]] = defaultdict(set)
        self._photos: dict[int, list[Photo]] = defaultdict(list)
        for photo in photos:
            self._encounters[str(photo.turtle)].add(photo.encounter)
            self._photos[photo.encounter].append(photo)

    def causes(self, pair: Sequence[Finding]) -> list[Finding]:
        """What explains that photos of two ids match; `pair` holds the matches across, best first."""
        best = pair[0]
        first, second = best.turtles
        groups = Groups()
        matched = {photo.encounter for found in pair for photo in found.photos}
        for found in pair:
            groups.join(*(photo.encounter for photo in found.photos))
        for turtle in best.turtles:
            for ends in self._hanging_together(turtle):
                groups.join(*ends)
        homes = {turtle: self._home(turtle, groups, matched) for turtle in best.turtles}
        if homes[first] == homes[second]:
            return [best]
        moves = [
            self._move(
                turtle, other, [one for one in self._encounters[turtle] if groups.root(one) == homes[other]], pair
            )
            for turtle, other in ((first, second), (second, first))
        ]
        found_moves = [move for move in moves if move is not None]
        return found_moves or [self._third(pair, groups, set(homes.values()))]

    def _hanging_together(self, turtle: str) -> list[tuple[int, int]]:
        if turtle not in self._together:
            tree = strongest_tree(self._bonds.get(turtle, ()))
            self._together[turtle] = [bond.encounters for bond in tree if not self._cut(tree, bond)]
        return self._together[turtle]

    def _cut(self, tree: Sequence[Bond], bond: Bond) -> bool:
        larger = max(count(part, self._sizes) for part in parts_without(tree, bond))
        return foreign(bond, larger, self._model) > ANOTHER

    def _home(self, turtle: str, groups: Groups, matched: set[int]) -> object:
        """The group with most photos of an id; encounters that were compared with nobody's belong to no group."""
        compared = {end for bond in self._bonds.get(turtle, ()) for end in bond.encounters} | matched
        photos: dict[object, int] = defaultdict(int)
        for encounter in sorted(self._encounters[turtle] & compared):
            photos[groups.root(encounter)] += self._sizes[encounter]
        return max(photos, key=lambda root: photos[root])

    def _move(
        self, turtle: str, other: str | None, encounters: Iterable[int], pair: Sequence[Finding]
    ) -> Finding | None:
        moving = tuple(sorted(encounters))
        across = [found for found in pair if {photo.encounter for photo in found.photos} & set(moving)]
        if not across:
            return None
        ends = across[0].photos
        photos = ends if ends[0].encounter in moving else ends[::-1]
        moved = tuple(photo for encounter in moving for photo in self._photos[encounter])
        turtles = (turtle, next(one for one in across[0].turtles if one != turtle))
        return replace(
            across[0],
            kind=Kind.MISFILED,
            turtles=turtles,
            encounters=(moving,),
            photos=(photos[0], photos[1]),
            look_at=len(moved) + 1,
            moved=moved,
            to=other,
        )

    def _third(self, pair: Sequence[Finding], groups: Groups, homes: set[object]) -> Finding:
        """Encounters of both ids match each other and neither id's rest: a turtle of its own."""
        best = pair[0]
        strange = groups.root(best.photos[0].encounter)
        moving = sorted(
            one for turtle in best.turtles for one in self._encounters[turtle] if groups.root(one) == strange
        )
        moved = tuple(photo for encounter in moving for photo in self._photos[encounter])
        if strange in homes or not moved:
            return best
        return replace(best, kind=Kind.MISFILED, encounters=(tuple(moving),), look_at=len(moved), moved=moved)
