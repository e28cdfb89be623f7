"""The evaluation's figures, drawn as SVG text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from retrieval.evaluation.figures import Evaluation, MethodResult, Outcome
from retrieval.evaluation.metrics import cumulative_match, reliability
from retrieval.scoring import PairConfidences

_KNOWN, _NEW, _THIRD = "#0b6e99", "#d1602d", "#6b6f76"
_CYCLE = (_KNOWN, _NEW, "#4d8f3c", "#8a4fa3", "#b38600", _THIRD)


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.hashsalt": "turtleidx",
            "svg.fonttype": "none",
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )


def cumulative_match_curves(methods: Sequence[MethodResult]) -> str:
    """Share of catalogued turtles' photos whose turtle is among the first k candidates, one curve a method."""
    with _style():
        figure, axes = _canvas("Candidates looked at", "True turtle among them")
        for method, colour in zip(methods, _CYCLE * len(methods), strict=False):
            rank = np.array([one.rank for one in method.outcomes if one.catalogued], np.int64)
            if len(rank):
                curve = cumulative_match(rank, 20)
                axes.plot(np.arange(1, 21), curve, marker="o", ms=3, color=colour, label=method.evaluation.name)
        axes.set(ylim=(0, 1.02), xticks=(1, 5, 10, 15, 20))
        _percent(axes)
        _legend(axes)
        return _svg(figure)


def score_distributions(outcomes: Sequence[Outcome]) -> str:
    """Scores of the true turtle beside the best scores of wrong turtles."""
    true = _finite([one.true_score for one in outcomes if one.catalogued])
    wrong = _finite([one.best_wrong_score for one in outcomes])
    with _style():
        figure, axes = _canvas("Score", "Share of photos")
        both = np.concatenate((true, wrong))
        if len(both):
            edges = [float(edge) for edge in np.histogram_bin_edges(both, bins=40)]
            for scores, colour, name in ((wrong, _NEW, "best wrong turtle"), (true, _KNOWN, "true turtle")):
                if len(scores):
                    share = np.full(len(scores), 1 / len(scores))
                    axes.hist(scores, edges, weights=share, color=colour, alpha=0.6, label=name)
        _percent(axes)
        _legend(axes)
        return _svg(figure)


def reliability_diagram(outcomes: Sequence[Outcome]) -> str:
    """How often turtles were new, against the probability that was stated."""
    asked = [one for one in outcomes if one.p_new is not None]
    said = reliability(
        np.array([one.p_new for one in asked], np.float64), np.array([not one.catalogued for one in asked], np.bool_)
    )
    with _style():
        figure, axes = _canvas("Stated probability of a new turtle", "Really new")
        axes.plot((0, 1), (0, 1), color=_THIRD, lw=1, ls="--", label="perfect")
        if len(said.count):
            axes.plot(said.said, said.seen, color=_KNOWN, lw=1)
            axes.scatter(said.said, said.seen, 12 + 200 * said.count / said.count.sum(), color=_KNOWN, label="stated")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        _percent(axes)
        _legend(axes)
        return _svg(figure)


def confidence_curves(matching: PairConfidences, different: PairConfidences) -> str:
    """Cumulative distributions of the match confidences of photo pairs of one turtle and of different turtles."""
    levels = np.linspace(0, 1, 201)
    with _style():
        figure, axes = _canvas("Match confidence", "Keypoints at or below it")
        lowest = 1.0
        for pairs, colour, name in ((different, _NEW, "different turtles"), (matching, _KNOWN, "same turtle")):
            if len(pairs):
                rows = np.array([_below(pairs, row, levels) for row in range(min(len(pairs), 500))])
                low, high = np.quantile(rows, (0.1, 0.9), axis=0)
                lowest = min(lowest, float(low.min()))
                axes.fill_between(levels, low, high, color=colour, alpha=0.2, lw=0)
                axes.plot(levels, rows.mean(axis=0), color=colour, label=name)
        axes.set(xlim=(0, 1), ylim=(0.95 * lowest if lowest < 1 else 0.0, 1.005))
        _percent(axes)
        _legend(axes)
        return _svg(figure)


def error_rates(evaluation: Evaluation) -> str:
    """Realised error rates with their 95 % bounds, and the promised ones as marks."""
    rates = (evaluation.false_known, evaluation.misidentified, evaluation.false_new)
    with _style():
        figure, axes = _canvas("", "Share of photos")
        for at, rate in enumerate(rates):
            if np.isfinite(rate.rate):
                axes.vlines(at, rate.low, rate.high, color=_NEW if rate.contradicts else _KNOWN, lw=3)
                axes.plot(at, rate.rate, "o", color=_NEW if rate.contradicts else _KNOWN)
            axes.hlines(rate.promised, at - 0.3, at + 0.3, color=_THIRD, ls="--")
        axes.set_xticks(range(3), ("called KNOWN,\nis new", "called KNOWN,\nis another", "called NEW,\nis catalogued"))
        axes.set_xlim(-0.5, 2.5)
        axes.set_ylim(bottom=0)
        _percent(axes)
        return _svg(figure)


def _canvas(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y)
    axes.grid(color="#e6e8eb", lw=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def _finite(scores: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.array(scores, np.float64)
    return values[np.isfinite(values)]


def _below(
    pairs: PairConfidences, row: int, levels: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = pairs.values[pairs.start[row] : pairs.start[row + 1]]
    return np.searchsorted(values, levels, side="right") / len(values)
