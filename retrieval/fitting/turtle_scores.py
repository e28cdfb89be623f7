"""The searches of a fit, turtle by turtle, and as the encounters that they make together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
    """Every encounter with its turtle taken out, in the largest galleries, and left in."""
    largest: dict[int, int] = defaultdict(int)
    for one in searches:
        if not one.trial.own:
            largest[one.trial.query] = max(largest[one.trial.query], one.trial.gallery)
    met: dict[tuple[int, int, bool], list[TurtleScores]] = defaultdict(list)
    for one in searches:
        row = one.trial.query
        if one.trial.own or one.trial.gallery == largest[row]:
            met[int(table.turtle[row]), int(table.occasion[row]), one.trial.own > 0].append(one)
    on_side = {
        code: set(table.turtle[table.in_gallery & (table.side_code == code)].tolist())
        for code in np.unique(table.side_code).tolist()
    }
    found = []
    for (turtle, _, catalogued), photos in met.items():
        everyone = {code for one in photos for code in one.candidates(turtle).turtle.tolist()}
        searched = []
        for one in photos:
            code = int(table.side_code[one.trial.query])
            side: Side | None = SIDES[code]
            absent = frozenset() if side is None else frozenset(everyone - on_side[code])
            searched.append(Searched(one.candidates(turtle), one.trial.gallery, side, one.trial.own, absent))
        found.append(Occasion(turtle, catalogued, tuple(searched)))
    return found
