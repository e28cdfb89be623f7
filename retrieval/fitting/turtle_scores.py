"""The searches of a fit, turtle by turtle, and as the encounters that they make together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.types import Float64, Int64, Side
from retrieval.fitting.trials import SIDES, Trial, TrialPlan
from retrieval.novelty import Candidates, Occasion, Searched
from retrieval.scoring import TNorm, first_of_each


@dataclass(frozen=True, slots=True, eq=False)
class TurtleScores:
    """A trial with the best score of each turtle.

    Attributes
    ----------
    own : float
        Score of the query's turtle, NaN where it was not among the compared.
    others : float64 [k]
        Scores of the other turtles, highest first.
    turtle, photos : int64 [k]
        Codes of the others, and their photos on this side.
    """

    trial: Trial
    own: float
    others: Float64
    turtle: Int64
    photos: Int64

    def standardised(self, cohort: TNorm) -> TurtleScores:
        """The same in spreads above the query's wrong turtles."""
        scores = self.others if np.isnan(self.own) else np.append(self.others, self.own)
        standard = cohort.standardise(scores)
        own = self.own if np.isnan(self.own) else float(standard[-1])
        return replace(self, own=own, others=standard[: len(self.others)])

    def candidates(self, individual: int) -> Candidates:
        """All turtles, the query's own last where it was compared."""
        if np.isnan(self.own):
            return Candidates(self.turtle, self.others, self.photos)
        return Candidates(
            np.append(self.turtle, individual),
            np.append(self.others, self.own),
            np.append(self.photos, max(self.trial.own, 1)),
        )


def search_of(table: TrialPlan, trial: Trial, scores: Float64) -> TurtleScores:
    """From the scores of a trial's photos to those of their turtles."""
    turtle = table.turtle[trial.shortlist]
    own = turtle == table.turtle[trial.query]
    order = np.argsort(-scores, kind="stable")
    best = first_of_each(order[~own[order]].tolist(), lambda place: int(turtle[place]))
    return TurtleScores(
        trial,
        float(scores[own].max()) if own.any() else np.nan,
        scores[best],
        turtle[best],
        trial.turtle_photos[best],
    )


def encounters_of(table: TrialPlan, searches: Sequence[TurtleScores]) -> list[Occasion]:
    """Every encounter with its turtle taken out, in the largest galleries, and left in.

    Where only one side of a catalogued turtle is known otherwise, a photo of the other side was searched too: it found
    others, and tells nothing about this turtle.
    """
    removed: dict[int, TurtleScores] = {}
    for one in searches:
        row = one.trial.query
        if not one.trial.own and (row not in removed or one.trial.gallery > removed[row].trial.gallery):
            removed[row] = one
    left_in: dict[int, list[TurtleScores]] = defaultdict(list)
    for one in searches:
        if one.trial.own:
            left_in[one.trial.query].append(one)
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in dict.fromkeys(one.trial.query for one in searches):
        together[int(table.turtle[row]), int(table.occasion[row])].append(row)
    on_side = {side: table.turtles_of(side) for side in Side}
    found = []
    for (turtle, _), rows in together.items():
        new = [removed[row] for row in rows if row in removed]
        if new:
            found.append(Occasion(turtle, False, _searched(table, turtle, new, on_side)))
        if any(row in left_in for row in rows):
            known = [one for row in rows for one in left_in.get(row) or (removed[row],)]
            found.append(Occasion(turtle, True, _searched(table, turtle, known, on_side)))
    return found


def _searched(
    table: TrialPlan, turtle: int, photos: Sequence[TurtleScores], on_side: Mapping[Side, Collection[int]]
) -> tuple[Searched, ...]:
    candidates = [one.candidates(turtle) for one in photos]
    everyone = {turtle, *(code for one in candidates for code in one.turtle.tolist())}
    searched = []
    for one, compared in zip(photos, candidates, strict=True):
        side: Side | None = SIDES[int(table.side_code[one.trial.query])]
        absent = set() if side is None else everyone.difference(on_side[side])
        if not one.trial.own:
            absent.add(turtle)
        searched.append(Searched(compared, one.trial.gallery, side, one.trial.own, frozenset(absent)))
    return tuple(searched)
