"""A group as the screen shows it: its photos, its candidates with theirs, the verdict and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from index.registry import PhotoRecord
from retrieval.novelty import CatalogModel, Verdict
from retrieval.review import Group
from retrieval.scoring import Candidate
from retrieval.web.queue.comparing import Item, PhotoJudgement, judged
from retrieval.web.settings import ReviewSettings

RecordsOf = Callable[[Collection[str], Collection[int]], Sequence[PhotoRecord]]

MOST_CANDIDATES = 9
MOST_PHOTOS = 60
"""Photos of one candidate in its strip."""
OTHER_ENCOUNTER = "encounter "
"""How candidates begin that are other groups of unidentified encounters."""


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One candidate of a group.

    Attributes
    ----------
    rank : int
        1 to 9: the key that chooses it.
    query, photo : int
        The group's photo and the candidate's that match best.
    photos : tuple of PhotoRecord
        Best first, then those of the searched side, by day.
    encounter : int or None
        The other group's first encounter, where the candidate has no id yet.
    """

    rank: int
    turtle: str
    probability: float | None
    matches: int
    query: int
    photo: int
    photos: tuple[PhotoRecord, ...]
    rejected: bool
    encounter: int | None

    @property
    def last_seen(self) -> str:
        return max((str(one.taken_on) for one in self.photos if one.taken_on), default="")

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(sorted({str(one.side) for one in self.photos if one.side}))

    @property
    def two(self) -> tuple[PhotoRecord, ...]:
        """The best two, one of each side where there are both."""
        rest = [one for one in self.photos[1:] if one.side != self.photos[0].side] or list(self.photos[1:])
        return (*self.photos[:1], *rest[:1])


@dataclass(frozen=True, slots=True)
class Promise:
    """Where a group stands against one promise: `value` at most `threshold` keeps it."""

    name: str
    value: float
    threshold: float
    certified: bool
    rate: float

    @property
    def kept(self) -> bool:
        return self.value <= self.threshold


@dataclass(frozen=True, slots=True)
class ItemView:
    """Everything that the template of the pair needs.

    Attributes
    ----------
    lead : PhotoRecord
        The photo that is shown first: the one that the best candidate was found with.
    shares : tuple of (name, share)
        Of the probability bar: the best candidate, others, a new one, not compared; empty without a model.
    warnings : tuple of str
        Sentences.
    """

    item: Item
    lead: PhotoRecord
    candidates: tuple[CandidateView, ...]
    judgements: tuple[PhotoJudgement, ...]
    interval: tuple[float, float] | None
    shares: tuple[tuple[str, float], ...]
    promises: tuple[Promise, ...]
    searched: str
    speaks: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def group(self) -> Group:
        return self.item.group


def item_view(
    records_of: RecordsOf, item: Item, model: CatalogModel | None, settings: ReviewSettings, words: Mapping[str, str]
) -> ItemView:
    """Read what is shown of a group; `words` are the sentences of `[view]` in strings.toml.

    Parameters
    ----------
    records_of : callable
        All photos of some turtles and of some encounters.
    """
    best = item.group.candidates[: MOST_CANDIDATES + len(item.rejected)]
    named = [one for one in best if not one.turtle.startswith(OTHER_ENCOUNTER)]
    others = [one.photo.encounter for one in best if one.turtle.startswith(OTHER_ENCOUNTER)]
    every = records_of([one.turtle for one in named], others)
    records = [one for one in every if one.encounter not in item.hidden]
    candidates = _candidates(best, records, item)
    judgements = tuple(judged(item, model, settings.policy)) if model is not None else ()
    lead = _lead(item, candidates)
    decisive = next((one for one in judgements if one.photo == lead.id), None)
    return ItemView(
        item=item,
        lead=lead,
        candidates=candidates,
        judgements=judgements,
        interval=_interval(item.group.p_new, decisive),
        shares=_shares(item.group, candidates),
        promises=_promises(decisive, model, settings),
        searched=_searched(item, lead, words),
        speaks=_speaks(lead, candidates, words),
        warnings=_warnings(item, lead, candidates, judgements, words),
    )


def _interval(p_new: float | None, decisive: PhotoJudgement | None) -> tuple[float, float] | None:
    """That of the photo that is shown, unless other photos or groups made the group's P(new) another one."""
    if p_new is None or decisive is None or decisive.interval is None:
        return None
    low, high = decisive.interval
    return decisive.interval if low <= p_new <= high else None


def best_pair(item: Item) -> tuple[int, int] | None:
    """The photos, by number, that are shown first; None where nobody is like the group."""
    first = next((one for one in item.group.candidates if one.turtle not in item.rejected), None)
    if first is None:
        return None
    query, best = _best(item, first)
    return query, best.photo.id


def _best(item: Item, candidate: Candidate) -> tuple[int, Candidate]:
    """The group's photo that a candidate matches best, and the candidate as that photo found it."""
    found = [
        (one.score, near.photo.id, one)
        for near in item.neighbours
        for one in (*near.turtles, *near.others)
        if one.turtle == candidate.turtle
    ]
    if not found:
        return item.photos[0].id, candidate
    _, query, best = max(found, key=lambda one: one[0])
    return query, best


def _lead(item: Item, candidates: Sequence[CandidateView]) -> PhotoRecord:
    """The photo that the first candidate was found with; without one, the best to look at."""
    if candidates:
        return next((one for one in item.photos if one.id == candidates[0].query), item.photos[0])
    return max(item.photos, key=lambda one: one.quality)


def _candidates(best: Sequence[Candidate], records: Sequence[PhotoRecord], item: Item) -> tuple[CandidateView, ...]:
    views: list[CandidateView] = []
    ordered = sorted(best, key=lambda one: one.turtle in item.rejected)[:MOST_CANDIDATES]
    for one in ordered:
        alone = one.turtle.startswith(OTHER_ENCOUNTER)
        query, found = _best(item, one)
        side = next((each.side for each in item.photos if each.id == query), None)
        photos = [
            each for each in records if (each.encounter == one.photo.encounter if alone else each.turtle == one.turtle)
        ]
        photos.sort(key=lambda each: (each.id != found.photo.id, each.side != side, str(each.taken_on)))
        if photos:
            views.append(
                CandidateView(
                    rank=len(views) + 1,
                    turtle=one.turtle,
                    probability=one.probability,
                    matches=found.matches,
                    query=query,
                    photo=photos[0].id,
                    photos=tuple(photos[:MOST_PHOTOS]),
                    rejected=one.turtle in item.rejected,
                    encounter=one.photo.encounter if alone else None,
                )
            )
    return tuple(views)


def _shares(group: Group, candidates: Sequence[CandidateView]) -> tuple[tuple[str, float], ...]:
    if group.p_new is None:
        return ()
    known = [one.probability or 0.0 for one in candidates if one.probability is not None]
    first = max(known, default=0.0)
    rest = sum(known) - first
    shares = {"best": first, "others": rest, "new": group.p_new, "absent": max(0.0, 1 - first - rest - group.p_new)}
    return tuple(shares.items())


def _promises(
    decisive: PhotoJudgement | None, model: CatalogModel | None, settings: ReviewSettings
) -> tuple[Promise, ...]:
    if decisive is None or decisive.posterior is None or model is None or model.novelty is None:
        return ()
    cuts, rates = model.novelty.thresholds(settings.policy.rates), settings.policy.rates
    at = decisive.posterior
    return tuple(
        Promise(name, float(value), cut.value, float(value) <= cut.certified, rate)
        for name, value, cut, rate in (
            ("false_known", -at.ratio, cuts.false_known, rates.false_known),
            ("misidentified", at.lead, cuts.misidentified, rates.misidentified),
            ("false_new", at.ratio, cuts.false_new, rates.false_new),
        )
    )


def _searched(item: Item, lead: PhotoRecord, words: Mapping[str, str]) -> str:
    near = next((one for one in item.neighbours if one.photo.id == lead.id), None)
    if near is None:
        return words["not_compared"]
    turtles, everyone = near.shortlist.gallery_turtles, near.shortlist.catalogued_turtles
    side = words["any_side"] if lead.side is None else words["of_side"] % {"side": lead.side}
    said = words["searched"] % {"photos": near.shortlist.gallery_photos, "side": side, "turtles": turtles}
    if everyone > turtles:
        said += " " + words["absent"] % {"turtles": everyone - turtles, "side": lead.side or ""}
    return said


def _speaks(lead: PhotoRecord, candidates: Sequence[CandidateView], words: Mapping[str, str]) -> tuple[str, ...]:
    """What else speaks for the first candidate, in short sentences."""
    if not candidates:
        return ()
    first = candidates[0]
    said = [words["matches"] % {"n": first.matches, "turtle": first.turtle}]
    sites = {one.site for one in first.photos if one.site}
    if lead.site and lead.site in sites:
        said.append(words["same_site"] % {"site": lead.site})
    elif lead.site and sites:
        said.append(words["other_site"] % {"sites": ", ".join(sorted(sites)[:3])})
    days = [abs((lead.taken_on - one.taken_on).days) for one in first.photos if one.taken_on and lead.taken_on]
    if days:
        said.append(words["days"] % {"days": min(days)})
    return tuple(said)


def _warnings(
    item: Item,
    lead: PhotoRecord,
    candidates: Sequence[CandidateView],
    judgements: Sequence[PhotoJudgement],
    words: Mapping[str, str],
) -> tuple[str, ...]:
    said = []
    by_id = {one.id: one for one in item.photos}
    points: dict[str, str] = {}
    for one in judgements:
        side = by_id[one.photo].side if one.photo in by_id else None
        if side is not None and one.turtle is not None and one.verdict is Verdict.KNOWN:
            points[str(side)] = one.turtle
    if len(set(points.values())) > 1:
        said.append(words["sides_disagree"] % {"sides": ", ".join(f"{side} → {who}" for side, who in points.items())})
    said += [
        words["other_side"] % {"turtle": one.turtle, "side": one.side.upper(), "n": one.matches}
        for one in item.other_sides
    ]
    if any(one.side is None for one in item.photos):
        said.append(words["no_side"])
    if lead.quality < 0.4:
        said.append(words["poor"])
    if candidates and lead.taken_on and any(one.taken_on == lead.taken_on for one in candidates[0].photos):
        said.append(words["same_day"] % {"turtle": candidates[0].turtle})
    if not item.final:
        said.append(words["not_final"])
    return tuple(said)


def photo_record(photo: PhotoRecord) -> dict[str, object]:
    """A photo as the page's script needs it."""
    return {
        "number": photo.id,
        "side": None if photo.side is None else str(photo.side),
        "day": None if photo.taken_on is None else str(photo.taken_on),
        "site": photo.site,
        "turtle": photo.turtle,
        "file": PurePath(photo.path).name,
        "path": photo.path,
    }


def item_record(view: ItemView, new_id: str) -> dict[str, object]:
    """A group as the page's script needs it."""
    return {
        "key": view.item.key,
        "encounters": list(view.group.encounters),
        # where a planted photo lies may name its turtle
        "photos": [photo_record(one) | ({"path": "…"} if view.item.key < 0 else {}) for one in view.item.photos],
        "lead": view.lead.id,
        "verdict": str(view.group.verdict),
        "newId": new_id,
        "candidates": [
            {
                "turtle": one.turtle,
                "encounter": one.encounter,
                "query": one.query,
                "photo": one.photo,
                "photos": [photo_record(each) for each in one.photos],
                "rejected": one.rejected,
            }
            for one in view.candidates
        ],
    }
