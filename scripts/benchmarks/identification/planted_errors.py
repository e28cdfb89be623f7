"""Planted faults: turtles under two ids and swapped encounters, and whether `audit` finds them."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.curation import Curator
from index.naming import whole_path
from index.types import GalleryFilter, Photo, Side
from retrieval.engine import Engine
from retrieval.fitting import fit
from retrieval.review import Finding, audit
from retrieval.review.suspicions import Kind

SPLITS, SWAPS = 12, 6
SECOND = "{} again"


@dataclass(frozen=True, slots=True)
class SeenFrom:
    """A turtle and one of its sides."""

    turtle: str
    side: Side | None


@dataclass(frozen=True, slots=True)
class Faults:
    """Wrong ids: by photo number the id that it gets instead of the right one.

    Attributes
    ----------
    splits : tuple of sets of str
        Pairs of ids that are one turtle.
    mixed : tuple of str
        Ids that hold an encounter of another turtle.
    """

    moved: Mapping[int, str]
    splits: tuple[frozenset[str], ...]
    mixed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What an audit found of the planted faults.

    Attributes
    ----------
    first : int
        As many findings as there are faults; `..._first` and `right_of_first` look at those only.
    right_by_score : int
        Right ones of so many findings in the order of their scores.
    """

    splits: int
    splits_found: int
    splits_first: int
    mixed: int
    mixed_found: int
    mixed_first: int
    findings: int
    first: int
    right_of_10: int
    right_of_first: int
    right_by_score: int


def find_faults(catalog: Catalog, engine: Engine, owners: Mapping[str, str], path: Path, budget: int) -> Found:
    """Plant faults in a copy of the catalogue where everybody else has the right id, fit anew, and audit.

    Parameters
    ----------
    owners : mapping
        The right id of unidentified photos, by path.
    """
    shutil.rmtree(path, ignore_errors=True)
    copy = Catalog.open(Path(shutil.copytree(catalog.path, path)))
    everyone = copy.photos(GalleryFilter(identified=False))
    absolute = {whole_path(Path(name)).as_posix(): owner for name, owner in owners.items()}
    right = {photo.id: photo.turtle or absolute[photo.path] for photo in everyone}
    faults = plant(everyone, right)
    wanted = {**right, **faults.moved}
    by_id: dict[str, list[int]] = defaultdict(list)
    for photo in everyone:
        if photo.turtle != wanted[photo.id]:
            by_id[wanted[photo.id]].append(photo.id)
    for name, numbers in by_id.items():
        Curator(copy, "benchmark").move_photos(numbers, name)
    fit(copy, engine, "benchmark", budget=budget)
    found = audit(copy, engine, budget)
    shown: dict[str, set[str]] = defaultdict(set)
    for number, name in wanted.items():
        shown[name].add(right[number])
    return judge_findings(found.findings, faults, shown)


def plant(photos: Iterable[Photo], right: Mapping[int, str], seed: int = 0) -> Faults:
    """Give half of a turtle's occasions a second id, and exchange one occasion of each of two turtles.

    Only turtles that were seen twice from one side, because nothing else could show the fault; at most half of them.
    """
    rng = np.random.default_rng(seed)
    seen = _occasions(photos, right)
    twice = [key for key, occasions in sorted(seen.items(), key=str) if len(occasions) > 1]
    order = [twice[row] for row in rng.permutation(len(twice))]
    usable = list({key.turtle: key for key in order}.values())  # each turtle by one of its sides
    moved: dict[int, str] = {}
    splits, mixed = [], []
    for key in usable[: min(SPLITS, len(usable) // 4)]:
        parts = list(seen[key].values())
        moved |= dict.fromkeys(
            (number for part in parts[: len(parts) // 2] for number in part), SECOND.format(key.turtle)
        )
        splits.append(frozenset((key.turtle, SECOND.format(key.turtle))))
    pairs = _pairs_of_one_side(usable[len(splits) :])[: min(SWAPS, len(usable) // 8)]
    for first, second in pairs:
        for key, other in ((first, second), (second, first)):
            moved |= dict.fromkeys(next(iter(seen[key].values())), other.turtle)
            mixed.append(key.turtle)
    return Faults(moved, tuple(splits), tuple(mixed))


def judge_findings(findings: Sequence[Finding], faults: Faults, shown: Mapping[str, Collection[str]]) -> Found:
    """Which faults the findings name, and how many findings are right.

    Parameters
    ----------
    shown : mapping
        The turtles that an id's photos really show.
    """
    first = len(faults.splits) + len(faults.mixed)

    def right(of: Sequence[Finding]) -> int:
        return sum(_is_right(one, shown) for one in of)

    def splits(of: Sequence[Finding]) -> int:
        return len(set(faults.splits) & {frozenset(one.turtles) for one in of})

    def mixed(of: Sequence[Finding]) -> int:
        named = {name for one in of if _is_right(one, shown) for name in one.turtles}
        return len(set(faults.mixed) & named)

    by_score = sorted(findings, key=lambda one: one.score if one.kind is Kind.MIXED else -one.score)
    return Found(
        splits=len(faults.splits),
        splits_found=splits(findings),
        splits_first=splits(findings[:first]),
        mixed=len(faults.mixed),
        mixed_found=mixed(findings),
        mixed_first=mixed(findings[:first]),
        findings=len(findings),
        first=first,
        right_of_10=right(findings[:10]),
        right_of_first=right(findings[:first]),
        right_by_score=right(by_score[:first]),
    )


def _is_right(one: Finding, shown: Mapping[str, Collection[str]]) -> bool:
    """Two ids that share a turtle, or one id that shows two."""
    if one.kind is Kind.MIXED:
        return len(shown[one.turtles[0]]) > 1
    first, second = one.turtles
    return bool(set(shown[first]) & set(shown[second]))


def _occasions(photos: Iterable[Photo], right: Mapping[int, str]) -> dict[SeenFrom, dict[object, list[int]]]:
    """Photos of each turtle and side by day, or by encounter where there is no day."""
    seen: dict[SeenFrom, dict[object, list[int]]] = defaultdict(lambda: defaultdict(list))
    for photo in photos:
        seen[SeenFrom(right[photo.id], photo.side)][photo.taken_on or photo.encounter].append(photo.id)
    return seen


def _pairs_of_one_side(keys: Iterable[SeenFrom]) -> list[tuple[SeenFrom, SeenFrom]]:
    waiting: dict[Side | None, SeenFrom] = {}
    pairs = []
    for key in keys:
        other = waiting.pop(key.side, None)
        if other is None:
            waiting[key.side] = key
        else:
            pairs.append((other, key))
    return pairs
