"""Who was in an import, and which ids are wrong: `identify` and `audit` on a manifest with a role column.

    scripts/benchmark clustering photos.csv [--keep FOLDER] [--quick]

Role gallery is enrolled and the model fitted; the encounters of roles known and new come without a turtle and are
resolved together, with 1, 5 and 10 % promised. The alternative in the same run: an encounter is called KNOWN as soon
as one of its photos alone would be. Then everybody gets the right id, faults are planted (turtles under two ids,
encounters swapped between two turtles), and `audit` looks for them; the alternative is the order of the best scores.
Pairs are compared once; with --keep a second run takes a fraction. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.identification.planted_errors import Found, find_faults
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.errors import CatalogMissing
from index.exchange import ManifestRow, read_manifest
from index.naming import whole_path
from index.types import Side
from retrieval.engine import Engine, EngineOptions
from retrieval.evaluation import ErrorRate
from retrieval.evaluation.metrics import error_rate
from retrieval.fitting import fit
from retrieval.novelty import CatalogModel, DecisionPolicy, Rates, Verdict
from retrieval.pipeline import enroll
from retrieval.review import Group
from retrieval.review.clustering import resolve
from retrieval.review.neighbours import PhotoNeighbours, neighbours_of

PROMISED = (0.01, 0.05, 0.10)
"""False KNOWN and misidentified; more than the usual 1 %, because few encounters could not contradict that."""
QUICK_TURTLES, QUICK_NEW = 25, 5

Said = Mapping[int, tuple[Verdict, str | None]]
"""What was said about each encounter."""


@dataclass(frozen=True, slots=True)
class Encounter:
    """What the manifest says about one unidentified encounter."""

    turtle: str
    new: bool
    sides: frozenset[Side | None]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was said about encounters of known and of new turtles: counts, and the rates that were promised."""

    known_right: int
    known_wrong: int
    known_new: int
    known_open: int
    new_known: int
    new_new: int
    new_open: int
    false_known: ErrorRate
    misidentified: ErrorRate
    false_new: ErrorRate


@dataclass(frozen=True, slots=True)
class Joined:
    """Pairs of encounters that share a side: how many show one new turtle, and which were put into one group.

    Attributes
    ----------
    wrong : int
        Joined pairs of two turtles, known or new.
    ids, turtles : int
        Ids that following every NEW would make, and the new turtles behind them.
    """

    true: int
    right: int
    wrong: int
    ids: int
    turtles: int


@dataclass(frozen=True, slots=True)
class Trial:
    """With one promised rate: what `identify` said, what single photos would have said, and what was joined."""

    promised: float
    together: Verdicts
    by_one_photo: Verdicts
    joined: Joined


def main() -> None:
    """Measure, print tables and one line of JSON."""
    options = _options()
    with scratch_folder(kept=options.keep) as folder:
        figures = run(options, folder)
    print(json.dumps(figures))


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All figures of one recipe."""
    started = time.process_time()
    rows = [row for row in read_manifest(options.manifest, ["gallery", "known", "new"]) if isinstance(row, ManifestRow)]
    rows = some(rows, QUICK_TURTLES, QUICK_NEW) if options.quick else rows
    gallery, rows = ([row for row in rows if (row.role == "gallery") is wanted] for wanted in (True, False))
    catalog, engine = _season(options, folder, gallery, rows)
    share = float(np.mean([row.role == "new" for row in rows]))
    prior = share if options.prior_new is None else options.prior_new
    model = CatalogModel.load(catalog, engine.evidence).without_intervals()
    with catalog.writing("identify"):
        neighbours = neighbours_of(catalog, engine, model.scoring(catalog, engine.score))
    truth = _truth(neighbours, rows)
    trials = [
        _trial(neighbours, model, DecisionPolicy(prior, Rates(rate, rate, max(rate, 0.05))), truth) for rate in PROMISED
    ]
    owners = {row.sighting.path: str(row.sighting.turtle) for row in rows}
    found = find_faults(catalog, engine, owners, folder / "faulty.catalog", options.budget)
    _print(trials, found, model.missing)
    return {
        "prior_new": prior,
        "identify": [asdict(one) for one in trials],
        "audit": asdict(found),
        "cpu_s": time.process_time() - started,
        "recipe": engine.evidence,
    }


def some(rows: Sequence[ManifestRow], turtles: int, new: int) -> list[ManifestRow]:
    """All rows of the turtles whose one side the gallery shows most often, and of the first new ones."""
    seen: dict[str, Counter[Side | None]] = defaultdict(Counter)
    for row in {(_occasion(row), row.sighting.side): row for row in rows if row.role == "gallery"}.values():
        seen[str(row.sighting.turtle)][row.sighting.side] += 1
    often = sorted(seen, key=lambda name: (-max(seen[name].values()), name))[:turtles]
    strangers = sorted({str(row.sighting.turtle) for row in rows if row.role == "new"})[:new]
    return [row for row in rows if row.sighting.turtle in (strangers if row.role == "new" else often)]


def _season(
    options: argparse.Namespace, folder: Path, gallery: list[ManifestRow], rows: list[ManifestRow]
) -> tuple[Catalog, Engine]:
    """The gallery, fitted, and then the season's photos without turtles."""
    choices = EngineOptions(matcher=options.matcher, shortlist=options.shortlist)
    try:
        catalog = Catalog.open(folder / "season.catalog")
        return catalog, Engine.load(catalog.recipe, choices)
    except CatalogMissing:
        engine = Engine.load(options=choices)
    shutil.rmtree(folder / "made.catalog", ignore_errors=True)
    catalog = Catalog.create(folder / "made.catalog", engine.recipe)
    enroll(catalog, [row.sighting for row in gallery], engine, "benchmark")
    fit(catalog, engine, "benchmark", budget=options.budget)
    season = [replace(row.sighting, turtle=None, encounter=_occasion(row)) for row in rows]
    enroll(catalog, season, engine, "benchmark")
    (folder / "made.catalog").rename(folder / "season.catalog")
    return Catalog.open(folder / "season.catalog"), engine


def _occasion(row: ManifestRow) -> str:
    """A name of its own for the turtle's photos of one day or encounter, apart from those in the gallery."""
    seen = row.sighting
    return f"{row.role} {seen.turtle} {seen.encounter or seen.taken_on or row.number}"


def _truth(neighbours: Mapping[int, Sequence[PhotoNeighbours]], rows: Sequence[ManifestRow]) -> dict[int, Encounter]:
    of_path = {whole_path(Path(row.sighting.path)).as_posix(): row for row in rows}
    truth = {}
    for number, found in neighbours.items():
        row = of_path[found[0].photo.path]
        sides = frozenset(near.photo.side for near in found)
        truth[number] = Encounter(str(row.sighting.turtle), row.role == "new", sides)
    return truth


def _trial(
    neighbours: Mapping[int, Sequence[PhotoNeighbours]],
    model: CatalogModel,
    policy: DecisionPolicy,
    truth: Mapping[int, Encounter],
) -> Trial:
    groups = resolve(neighbours, model, policy)
    said = {number: (one.verdict, one.turtle) for one in groups for number in one.encounters}
    alone = tally(_by_one_photo(neighbours, model, policy), truth, policy)
    return Trial(policy.rates.false_known, tally(said, truth, policy), alone, count_joined(groups, truth))


def _by_one_photo(
    neighbours: Mapping[int, Sequence[PhotoNeighbours]], model: CatalogModel, policy: DecisionPolicy
) -> Said:
    """KNOWN as soon as one photo alone would be, NEW where all would be."""
    said: dict[int, tuple[Verdict, str | None]] = {}
    for number, found in neighbours.items():
        judged = [model.predict(near.turtles, near.shortlist, policy.prior_new, policy.rates) for near in found]
        known = next((one.turtle for one in judged if one.verdict is Verdict.KNOWN), None)
        unknown = Verdict.NEW if all(one.verdict is Verdict.NEW for one in judged) else Verdict.UNDECIDED
        said[number] = (unknown if known is None else Verdict.KNOWN, known)
    return said


def tally(said: Said, truth: Mapping[int, Encounter], policy: DecisionPolicy) -> Verdicts:
    """How right it was; rates by individual, as the promises are meant."""
    numbers = sorted(truth)
    new = np.array([truth[number].new for number in numbers])
    _, individual = np.unique([truth[number].turtle for number in numbers], return_inverse=True)
    known = np.array([said[number][0] is Verdict.KNOWN for number in numbers])
    called_new = np.array([said[number][0] is Verdict.NEW for number in numbers])
    right = np.array([said[number][1] == truth[number].turtle for number in numbers])
    wrong = known & ~right
    return Verdicts(
        known_right=int((known & right & ~new).sum()),
        known_wrong=int((wrong & ~new).sum()),
        known_new=int((called_new & ~new).sum()),
        known_open=int((~known & ~called_new & ~new).sum()),
        new_known=int((known & new).sum()),
        new_new=int((called_new & new).sum()),
        new_open=int((~known & ~called_new & new).sum()),
        false_known=error_rate(known[new], individual[new], policy.rates.false_known),
        misidentified=error_rate(wrong[~new], individual[~new], policy.rates.misidentified),
        false_new=error_rate(called_new[~new], individual[~new], policy.rates.false_new),
    )


def count_joined(groups: Sequence[Group], truth: Mapping[int, Encounter]) -> Joined:
    """Which pairs of encounters were put into one group, and which should have been."""
    true = {
        (first, second)
        for first, second in combinations(sorted(truth), 2)
        if truth[first].new and truth[first].turtle == truth[second].turtle and truth[first].sides & truth[second].sides
    }
    joined = {pair for group in groups for pair in combinations(group.encounters, 2)}
    called_new = [group for group in groups if group.verdict is Verdict.NEW]
    behind = {truth[number].turtle for group in called_new for number in group.encounters}
    return Joined(
        true=len(true),
        right=len(true & joined),
        wrong=sum(truth[first].turtle != truth[second].turtle for first, second in joined),
        ids=len(called_new),
        turtles=len(behind),
    )


def _print(trials: Sequence[Trial], found: Found, missing: str) -> None:
    console = Console()
    if missing:
        console.print(missing)
    columns = [f"{name}, {one.promised:.0%}" for name in ("together", "by a photo") for one in trials]
    shown = [one.together for one in trials] + [one.by_one_photo for one in trials]
    table = Table("encounters; false KNOWN promised:", *columns, box=None, padding=(0, 1))
    for name, words in (
        ("known_right", "of known turtles: KNOWN, rightly"),
        ("known_wrong", "  KNOWN under another name"),
        ("known_new", "  NEW"),
        ("known_open", "  left open"),
        ("new_known", "of new turtles: KNOWN"),
        ("new_new", "  NEW"),
        ("new_open", "  left open"),
    ):
        table.add_row(words, *(str(getattr(one, name)) for one in shown))
    for name, words in (("false_known", "false KNOWN"), ("misidentified", "misidentified"), ("false_new", "false NEW")):
        rates = [getattr(one, name) for one in shown]
        table.add_row(f"{words}, by individual (from)", *(f"{one.rate:.3f} ({one.low:.3f})" for one in rates))
    console.print(table)
    for one in trials:
        pairs = one.joined
        console.print(
            f"{one.promised:.0%}: {pairs.right} of {pairs.true} pairs of one new turtle's encounters joined, "
            f"{pairs.wrong} wrongly; following every NEW makes {pairs.ids} ids of {pairs.turtles} turtles."
        )
    faults = Table("planted faults", "", "found", f"in the first {found.first}", box=None, padding=(0, 2))
    faults.add_row("turtles under two ids", str(found.splits), str(found.splits_found), str(found.splits_first))
    faults.add_row("ids with another's encounter", str(found.mixed), str(found.mixed_found), str(found.mixed_first))
    console.print(faults)
    console.print(
        f"Right of the first 10 findings: {found.right_of_10}; of the first {found.first}: {found.right_of_first} "
        f"(in the order of scores: {found.right_by_score}); {found.findings} findings in all."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the catalogue and its compared pairs here")
    parser.add_argument("--matcher")
    parser.add_argument("--shortlist", type=int, default=EngineOptions().shortlist)
    parser.add_argument(
        "--budget", type=int, default=200_000, help="photo pairs that each fit and the audit may compare"
    )
    parser.add_argument("--prior-new", type=float, help="default: the manifest's share of new ones")
    parser.add_argument("--quick", action="store_true", help="the turtles that were seen most, and five new ones")
    return parser.parse_args()


if __name__ == "__main__":
    main()
