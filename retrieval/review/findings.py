"""Which ids of a catalogue are probably wrong, one finding a cause, each with the repair that the evidence speaks for.

Judged by the catalogue's fitted model. Two ids are suspected when a photo of one matches a photo of the other as only
photos of one turtle do; the chance of that counts all photos that were asked, and so says how many such pairs the whole
catalogue would show by accident. Whether they are one turtle, or an encounter of one lies under the other, is for
`causes` to say. One id is suspected where its encounters fall into two parts of which no photo of one matches any of
the other: the weakest link of the tree of best matches, counted once for each link that could have been the weakest.
Reviews that find most for every photo that a person has to look at come first.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from index.curation import Reviewed
from index.types import Photo, Side
from retrieval.novelty import CatalogModel, NoveltyModel, posterior_of
from retrieval.review.bonds import Bond, Groups, bonds_of, count, foreign, parts_without, strongest_tree
from retrieval.review.causes import Individuals
from retrieval.review.same_days import one_sided
from retrieval.review.suspicions import LEAST, PRIOR_WRONG, Finding, Kind, Searched

MOST_CHANCE = 0.5
"""What every second innocent case shows is no suspicion."""

Pairs = dict[frozenset[str], list[Finding]]
"""What matches across each pair of ids, best first."""


def findings(
    searches: Sequence[Searched],
    photos: Sequence[Photo],
    model: CatalogModel,
    reviews: Reviewed,
    made: Mapping[str, int],
) -> list[Finding]:
    """Everything that the searches make suspect and nobody has reviewed, what is most worth a look first.

    Parameters
    ----------
    photos : sequence of Photo
        All identified photos, compared or not.
    made : mapping
        Order in which the ids were made; of two ids for one turtle the older stays.
    """
    counts = Counter((photo.turtle, photo.side) for photo in photos)
    sizes = Counter(photo.encounter for photo in photos)
    pairs: Pairs = defaultdict(list)
    bonds: dict[str, list[Bond]] = defaultdict(list)
    for one in searches:
        for found in _matches(one, counts, model.novelty):
            if not reviews.seen_together(found.turtles, {photo.id for photo in found.photos}):
                pairs[frozenset(found.turtles)].append(found)
        bonds[str(one.photo.turtle)] += bonds_of(one, model.novelty)
    across = _causes(pairs, Individuals(photos, bonds, sizes, model.novelty) if model.novelty else None)
    mixed = _every_mixed(bonds, across, pairs, photos, sizes, model.novelty, reviews)
    days = [one for one in one_sided(photos) if not reviews.seen_together(one.turtles, _ids(one))]
    ordered = [_older_first(one, made) for one in _one_each([*across, *days])]
    return sorted([*ordered, *mixed], key=lambda one: one.rank)


def _ids(found: Finding) -> set[int]:
    return {photo.id for photo in found.photos}


def _matches(
    one: Searched, counts: Mapping[tuple[str | None, Side | None], int], novelty: NoveltyModel | None
) -> Iterator[Finding]:
    """Other ids that match a photo, best first, until different turtles often match as well.

    Those that stand before an id in the ranking may be the same turtle and are left out when it is judged.
    """
    for place, candidate in enumerate(one.others):
        asked = max(counts[shown.turtle, shown.side] for shown in (one.photo, candidate.photo))
        chance = probability = None
        if novelty is not None:
            found = posterior_of(novelty, one.others[place:], one.gallery, 1 - PRIOR_WRONG, left_out=place)
            chance, probability = min(1.0, asked * found.tail), 1 - found.p_new - found.p_not_compared
            if chance > MOST_CHANCE:
                return
        turtles = tuple(sorted((str(one.photo.turtle), candidate.turtle)))
        photos = (one.photo, candidate.photo)
        yield Finding(
            kind=Kind.DUPLICATE,
            turtles=turtles,
            encounters=(),
            score=candidate.score,
            matches=candidate.matches,
            chance=chance,
            probability=probability,
            photos=photos,
            look_at=2,
        )
        if novelty is None:
            return


def _causes(pairs: Pairs, individuals: Individuals | None) -> list[Finding]:
    found = []
    for pair in pairs.values():
        pair.sort(key=lambda one: one.rank)
        strong = [one for one in pair if (one.probability or 0.0) >= LEAST]
        found += individuals.causes(strong) if individuals is not None and strong else pair[:1]
    return found


def _one_each(found: Sequence[Finding]) -> list[Finding]:
    """Of three ids for one turtle two findings tell everything; a move or a doubt of its own always counts."""
    groups = Groups()
    kept = []
    for one in sorted(found, key=lambda one: one.rank):
        one_turtle = one.kind in (Kind.DUPLICATE, Kind.SAME_DAYS) and (one.probability or 0.0) >= LEAST
        if not one_turtle or groups.join(*one.turtles):
            kept.append(one)
    return kept


def _older_first(found: Finding, made: Mapping[str, int]) -> Finding:
    if found.kind is Kind.MISFILED:
        return found
    return replace(found, turtles=tuple(sorted(found.turtles, key=lambda name: (made.get(name, 0), name))))


def _every_mixed(
    bonds: Mapping[str, Sequence[Bond]],
    across: Sequence[Finding],
    pairs: Pairs,
    photos: Sequence[Photo],
    sizes: Mapping[int, int],
    novelty: NoveltyModel | None,
    reviews: Reviewed,
) -> list[Finding]:
    """Mixed identities that no other finding explains."""
    inside: dict[int, list[Photo]] = defaultdict(list)
    for photo in photos:
        inside[photo.encounter].append(photo)
    moving = {photo.encounter for one in across for photo in one.moved}
    found = []
    for turtle, own in bonds.items():
        rest = [bond for bond in own if not moving & set(bond.encounters)]
        suspected = _mixed(turtle, rest, inside, sizes, novelty, reviews) if rest else None
        if suspected is not None and not _explained(suspected, across, pairs):
            found.append(suspected)
    return found


def _explained(suspected: Finding, across: Sequence[Finding], pairs: Pairs) -> bool:
    """Whether both parts match a second id of the same turtle: its photos lie between theirs."""
    for one in across:
        if one.kind is Kind.DUPLICATE and suspected.turtles[0] in one.turtles and (one.probability or 0.0) >= LEAST:
            matched = {photo.encounter for found in pairs[frozenset(one.turtles)] for photo in found.photos}
            if all(matched & set(part) for part in suspected.encounters):
                return True
    return False


def _mixed(
    turtle: str,
    bonds: Sequence[Bond],
    inside: Mapping[int, Sequence[Photo]],
    sizes: Mapping[int, int],
    novelty: NoveltyModel | None,
    reviews: Reviewed,
) -> Finding | None:
    """The two parts of an id that match least and that nobody looked at; None where one turtle's often match so."""
    tree = strongest_tree(bonds)
    for weakest in reversed(tree):
        parts = sorted(parts_without(tree, weakest), key=lambda part: count(part, sizes))
        if not reviews.seen_apart(turtle, [{photo.id for one in part for photo in inside[one]} for part in parts]):
            return _cut(weakest, parts, len(tree), inside, sizes, novelty)
    return None


def _cut(
    weakest: Bond,
    parts: Sequence[tuple[int, ...]],
    bonds: int,
    inside: Mapping[int, Sequence[Photo]],
    sizes: Mapping[int, int],
    novelty: NoveltyModel | None,
) -> Finding | None:
    smaller, larger = (count(part, sizes) for part in parts)
    chance = probability = None
    if novelty is not None:
        log_cdf = novelty.separation.genuine.log_cdf(weakest.height, float(larger))
        chance = min(1.0, bonds * math.exp(float(log_cdf)))
        if chance > MOST_CHANCE:
            return None
        probability = foreign(weakest, larger, novelty)
    return Finding(
        kind=Kind.MIXED,
        turtles=(str(weakest.search.photo.turtle),),
        encounters=tuple(parts),
        score=weakest.pair_score.score,
        matches=weakest.pair_score.matches,
        chance=chance,
        probability=probability,
        photos=(weakest.search.photo, weakest.pair_score.photo),
        look_at=smaller + 1,
        moved=tuple(photo for encounter in parts[0] for photo in inside[encounter]),
    )
