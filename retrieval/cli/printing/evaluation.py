"""How an evaluation looks on a terminal and as JSON; shares the door to rich with `retrieval.cli.printing.terminal`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from retrieval.cli.printing.terminal import out, print_table, say
from retrieval.evaluation import Comparison, ErrorRate, Evaluation
from retrieval.novelty import DecisionPolicy, Verdict
from retrieval.parallel import peak_memory_gib

REFUSALS_SHOWN = 5


def print_evaluation(
    description: str, comparison: Comparison, groups: Sequence[Evaluation], policy: DecisionPolicy
) -> None:
    """Methods side by side, the first one's groups, and its error rates against the promised ones."""
    for refusal in comparison.left_out[:REFUSALS_SHOWN]:
        say(f"left out: {refusal.reason}")
    if len(comparison.left_out) > REFUSALS_SHOWN:
        say(f"left out: {len(comparison.left_out) - REFUSALS_SHOWN} more photos; --json lists them all.")
    first = comparison.methods[0].evaluation
    out.print(Text(f"{description} P(new) before looking: {policy.prior_new:.1%}."))
    judged = [any(one.p_new is not None for one in method.outcomes) for method in comparison.methods]
    if judged[0]:
        out.print(_answers(first))
    else:
        out.print(
            "There is no fitted model for this recipe, so that photos were ranked but not judged: `turtleidx fit` "
            "makes one, or says what it lacks."
        )
    methods = [method.evaluation for method in comparison.methods]
    print_table(_ranking(methods, groups))
    if any(judged):
        print_table(_judging(methods, groups))
    print_table(_costs(comparison))
    out.print("Seconds are those to compare the shortlist; photos that were compared before take no time.")
    if judged[0]:
        print_table(_rates(first))
    peak = peak_memory_gib()
    if peak is not None:
        out.print(f"All of it together took {peak:.1f} GiB of memory at most.")
    limit = first.calibration_error_if_perfect
    if math.isfinite(limit):
        out.print(
            f"P(new) is off by {first.calibration_error:.3f} on average (the calibration error); that of perfect "
            f"probabilities would stay below {limit:.3f} in 95 of 100 such evaluations."
        )


def _answers(figures: Evaluation) -> str:
    """How many photos were answered rightly, in one sentence."""
    by_verdict = {share.verdict: share for share in figures.verdicts}
    new, known = by_verdict[Verdict.NEW], by_verdict[Verdict.KNOWN]
    return (
        f"NEW was said of {new.new} of {figures.new} photos of new turtles, KNOWN of {known.known} of "
        f"{figures.known} of catalogued ones; the tables below count every turtle the same."
    )


def _ranking(methods: Sequence[Evaluation], groups: Sequence[Evaluation]) -> Table:
    table = _table("known", "new", "top-1", "top-3", "top-5", "mAP", "AUROC")
    for one in (*methods, *groups):
        shares = map(_percent, (one.top1, one.top3, one.top5))
        numbers = map(_number, (one.mean_average_precision, one.auroc))
        table.add_row(Text(one.name), str(one.known), str(one.new), *shares, *numbers, end_section=one is methods[-1])
    return table


def _judging(methods: Sequence[Evaluation], groups: Sequence[Evaluation]) -> Table:
    table = _table("known by name", "new called NEW", "both", "P(new) right", "error of P(new)", "undecided")
    for one in (*methods, *groups):
        shares = map(_percent, (one.baks, one.baus, one.geometric_mean, one.novelty_accuracy))
        calibration, undecided = _number(one.calibration_error), _percent(one.undecided)
        table.add_row(Text(one.name), *shares, calibration, undecided, end_section=one is methods[-1])
    return table


def _costs(comparison: Comparison) -> Table:
    table = _table("seconds a query", "kB a photo")
    for method in comparison.methods:
        table.add_row(Text(method.evaluation.name), _number(method.seconds), _number(method.bytes_a_photo / 1000))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for head in heads:
        table.add_column(head, justify="right", overflow="fold")
    return table


def _rates(figures: Evaluation) -> Table:
    table = Table("error", "realised", "95 % bounds", "promised", "", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    rows = (
        ("new turtle called KNOWN", figures.false_known),
        ("called KNOWN under another name", figures.misidentified),
        ("catalogued turtle called NEW", figures.false_new),
    )
    for name, rate in rows:
        bounds = f"{_percent(rate.low)} to {_percent(rate.high)}"
        table.add_row(name, _percent(rate.rate), bounds, _percent(rate.promised), _compatible(rate))
    return table


def _compatible(rate: ErrorRate) -> Text:
    if not math.isfinite(rate.rate):
        return Text("–")
    return Text("broken", style="red") if rate.contradicts else Text("compatible", style="green")


def _percent(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else "–"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"
