"""Who was in an import: unidentified encounters, resolved together against the gallery and each other.

Encounters that match each other as only photos of one turtle do are linked into a group before anybody gets an id, so
that one import does not create one turtle twice. A link is judged by the catalogue's fitted model, as if the other
unidentified encounters were turtles of the gallery; without a model nothing is linked and nothing proposed. KNOWN is
judged against the catalogue, NEW against the catalogue and every encounter outside the group. The promised rates hold
for an encounter: each of its n photos keeps an n-th of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from index.catalog import Catalog
from index.types import Progress
from retrieval.engine import Engine
from retrieval.novelty import CatalogModel, DecisionPolicy, NoveltyModel, Prediction, Rates, Verdict, posterior_of
from retrieval.pipeline import PairPool
from retrieval.review.groups import Group, Link
from retrieval.review.neighbours import PhotoNeighbours, named, neighbours_of
from retrieval.review.other_side import with_other_side


def cluster_encounters(
    catalog: Catalog,
    engine: Engine,
    policy: DecisionPolicy,
    only: Collection[int] = (),
    progress: Progress | None = None,
    pool: PairPool | None = None,
) -> list[Group]:
    """Group the unidentified encounters (`only` these, or all) and say who they are; nothing is assigned.

    What was compared is cached, so that a search that was interrupted goes on where it was.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared; None compares them on this machine.

    Raises
    ------
    RecipeMismatch, CatalogBusy
    """
    catalog.require(engine.recipe)
    model = CatalogModel.load(catalog, engine.evidence).without_intervals()
    with catalog.writing("identify"):
        neighbours = neighbours_of(catalog, engine, model.scoring(catalog, engine.score), only, progress, pool)
        return with_other_side(catalog, engine, resolve(neighbours, model, policy), model, policy, pool)


def resolve(
    neighbours: Mapping[int, Sequence[PhotoNeighbours]], model: CatalogModel, policy: DecisionPolicy
) -> list[Group]:
    """Groups and their verdicts from what every photo found, in order of their first encounters."""
    known = {encounter: _known(found, model, policy) for encounter, found in neighbours.items()}
    links = _links(neighbours, model, policy)
    members: dict[int, tuple[int, ...]] = {encounter: (encounter,) for encounter in neighbours}
    for link in links:
        together = tuple(sorted({*members[link.first], *members[link.second]}))
        turtles = {one.turtle for encounter in together for one in known[encounter]}
        if len(turtles) < 2:  # a chain of links never makes one turtle of two catalogued ones
            members.update(dict.fromkeys(together, together))
    return [
        _group(
            encounters, neighbours, [one for encounter in encounters for one in known[encounter]], links, model, policy
        )
        for encounters in sorted(set(members.values()))
    ]


def _known(found: Sequence[PhotoNeighbours], model: CatalogModel, policy: DecisionPolicy) -> list[Prediction]:
    """What those of an encounter's photos say that name a turtle."""
    rates = _shared(policy.rates, len(found))
    judged = [model.predict(near.turtles, near.shortlist, policy.prior_new, rates) for near in found]
    return [one for one in judged if one.verdict is Verdict.KNOWN]


def _links(
    neighbours: Mapping[int, Sequence[PhotoNeighbours]], model: CatalogModel, policy: DecisionPolicy
) -> list[Link]:
    """Every link, strongest first; a pair of encounters has one."""
    if model.novelty is None:
        return []
    best: dict[tuple[int, int], Link] = {}
    for encounter, found in neighbours.items():
        for link in (link for near in found for link in _links_of(near, neighbours, model.novelty, policy)):
            pair = (min(encounter, link.second), max(encounter, link.second))
            if pair not in best or link.score > best[pair].score:
                best[pair] = link if link.first == pair[0] else link.turned()
    return sorted(best.values(), key=lambda link: -link.score)


def _links_of(
    near: PhotoNeighbours,
    neighbours: Mapping[int, Sequence[PhotoNeighbours]],
    novelty: NoveltyModel,
    policy: DecisionPolicy,
) -> Iterator[Link]:
    """From one photo, each other encounter alone against the catalogued turtles but the best.

    The other encounters and the best turtle may all be the photographed one: among them nobody would stand out.
    """
    gallery = near.gallery_of(near.other_photos)
    for candidate in near.others:
        other = candidate.photo.encounter
        rates = _shared(policy.rates, max(len(neighbours[near.photo.encounter]), len(neighbours[other])))
        below = [turtle for turtle in near.turtles[1:] if turtle.score < candidate.score]
        posterior = posterior_of(novelty, [candidate, *below], gallery, policy.prior_new)
        if -posterior.ratio > novelty.thresholds(rates).false_known.value or posterior.p_new > 0.5:
            break  # the following score less
        probability = 1 - posterior.p_new - posterior.p_not_compared
        yield Link(
            first=near.photo.encounter,
            second=other,
            score=candidate.score,
            probability=probability,
            chance=posterior.tail,
            matches=candidate.matches,
            photos=(near.photo, candidate.photo),
        )


def _group(
    encounters: tuple[int, ...],
    neighbours: Mapping[int, Sequence[PhotoNeighbours]],
    known: Sequence[Prediction],
    links: Iterable[Link],
    model: CatalogModel,
    policy: DecisionPolicy,
) -> Group:
    found = [near for encounter in encounters for near in neighbours[encounter]]
    judged = [_judged_among_all(near, encounters, model, policy) for near in found]
    place = min(range(len(judged)), key=lambda place: _how_new(judged[place]))
    least_new = judged[place]
    verdict, turtle, reason = Verdict.UNDECIDED, None, least_new.reason
    turtles = sorted({str(one.turtle) for one in known})
    if len(turtles) == 1:
        verdict, turtle, reason = Verdict.KNOWN, turtles[0], known[0].reason
    elif turtles:
        reason = f"Its photos match {' and '.join(turtles)}."
    elif all(one.verdict is Verdict.NEW for one in judged):
        verdict = Verdict.NEW
    elif least_new.verdict is Verdict.KNOWN:
        reason = "Its photos match an encounter outside the group, and the rest of the group does not."
    inside = tuple(link for link in links if {link.first, link.second} <= set(encounters))
    return Group(
        encounters=encounters,
        photos=tuple(near.photo for near in found),
        verdict=verdict,
        turtle=turtle,
        p_new=least_new.p_new,
        reason=reason,
        candidates=least_new.candidates,
        links=inside,
        asked=found[place].photo,
    )


def _judged_among_all(
    near: PhotoNeighbours, inside: Collection[int], model: CatalogModel, policy: DecisionPolicy
) -> Prediction:
    """A photo against the catalogue and every encounter outside its group."""
    outside = near.other_photos.keys() - {named(encounter) for encounter in inside}
    others = [one for one in near.others if one.turtle in outside]
    candidates = sorted((*near.turtles, *others), key=lambda one: -one.score)
    return model.predict(candidates, near.gallery_of(outside), policy.prior_new, policy.rates)


def _how_new(prediction: Prediction) -> tuple[float, float]:
    """Sorts the photo first that speaks least for a new turtle; without a model, the one with the best score."""
    best = prediction.candidates[0].score if prediction.candidates else 0.0
    return (1.0 if prediction.p_new is None else prediction.p_new, -best)


def _shared(rates: Rates, photos: int) -> Rates:
    """What each of so many photos may contribute to the errors of all; NEW needs all of them anyway."""
    return replace(rates, false_known=rates.false_known / photos, misidentified=rates.misidentified / photos)
