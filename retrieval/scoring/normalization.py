"""A query's scores relative to what wrong turtles score in the same query (T-norm; Auckenthaler et al. 2000).

A blurred photo scores low with every turtle and a busy one high; what speaks for a match is how far the best turtle
stands out from the others. Mean and spread of the others are drawn towards those of all queries where they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.types import Float64

_ENOUGH = 5
"""Others from which a query's own mean and spread can be learnt from."""
_MOST_STRENGTH = 1e6


@dataclass(frozen=True, slots=True)
class TNorm:
    """How the wrong turtles of a query score, over many queries.

    Attributes
    ----------
    mean, spread : float
        Of a query's wrong turtles but the best.
    strength : float
        Others as many as this tell as much about a query as all other queries do: the variance within queries over
        the variance of their means.
    """

    mean: float
    spread: float
    strength: float

    @classmethod
    def fit(cls, searches: Sequence[Float64]) -> TNorm:
        """Fit from scores of wrong turtles, a float64 [k] a query; the best of each is left out."""
        others = [_but_best(scores) for scores in searches]
        rich = [one for one in others if len(one) >= _ENOUGH] or [one for one in others if len(one) > 1]
        if not rich:
            every = np.concatenate([np.zeros(1), *others])
            return cls(float(every.mean()), float(every.std()) or 1.0, _MOST_STRENGTH)
        mean, variance = np.array([one.mean() for one in rich]), np.array([one.var(ddof=1) for one in rich])
        within = float(variance.mean())
        between = float(mean.var() - np.mean(variance / np.array([len(one) for one in rich])))
        strength = min(within / between, _MOST_STRENGTH) if between > 0 else _MOST_STRENGTH
        return cls(float(mean.mean()), float(np.sqrt(within)) or 1.0, strength)

    def standardise(self, scores: Float64) -> Float64:
        """One query's scores float64 [k], any order, in spreads above the mean of all but the best; order is kept."""
        others = _but_best(scores)
        weight = self.strength + len(others)
        mean = (self.strength * self.mean + others.sum()) / weight
        variance = (self.strength * self.spread**2 + ((others - mean) ** 2).sum()) / weight
        return np.asarray((scores - mean) / np.sqrt(max(variance, np.finfo(float).tiny)))


def _but_best(scores: Float64) -> Float64:
    return np.delete(scores, np.argmax(scores)) if len(scores) else scores
