"""The evaluation's figures by hand, and the page that shows them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from index.types import Side
from retrieval.cli.printing.evaluation import print_evaluation
from retrieval.evaluation.figures import MethodResult, Outcome, RankedTurtle, by_group, summarize, worst_errors
from retrieval.evaluation.plots import cumulative_match_curves
from retrieval.evaluation.report import Material, WorstError, write_report
from retrieval.evaluation.run import Comparison
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.scoring.confidences import PairConfidences

RATES = Rates(0.05, 0.05, 0.05)


def ranked(*turtles: str, best: float = 1.0) -> tuple[RankedTurtle, ...]:
    return tuple(RankedTurtle(turtle, best - 0.1 * place) for place, turtle in enumerate(turtles))


def known(photo: str, verdict: Verdict, called: str | None, p_new: float | None = 0.1, *candidates: str) -> Outcome:
    return Outcome(photo, "A", True, Side.LEFT, 0.8, verdict, called, p_new, ranked(*(candidates or ("A", "B"))))


def new(photo: str, verdict: Verdict, called: str | None, p_new: float | None = 0.9) -> Outcome:
    return Outcome(photo, "Z", False, Side.RIGHT, 0.3, verdict, called, p_new, ranked("A", "B", best=0.4))


OUTCOMES = [
    known("a1", Verdict.KNOWN, "A"),
    known("a2", Verdict.KNOWN, "B", 0.2, "B", "A"),
    known("a3", Verdict.NEW, None, 0.8, "B", "C", "D", "A"),
    known("a4", Verdict.UNDECIDED, None, 0.5),
    new("z1", Verdict.NEW, None),
    new("z2", Verdict.KNOWN, "A", 0.15),
]


def test_the_table_of_judged_photos_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    none = PairConfidences.of([])
    method = MethodResult(summarize(OUTCOMES, RATES, "wasserstein"), tuple(OUTCOMES), 0.1, 1000.0)
    policy = DecisionPolicy(0.25, RATES)
    print_evaluation("Asked.", Comparison((method,), (), none, none, ()), by_group(OUTCOMES, RATES), policy)
    told = capsys.readouterr().out
    assert "NEW was said of 1 of 2 photos of new turtles, KNOWN of 2 of 4 of catalogued ones" in told
    for words in ("known by name", "new called NEW", "P(new) right", "error of P(new)", "undecided", "promised"):
        assert words in told
    assert "ranked but not judged" not in told
    assert max(len(line) for line in told.splitlines() if "  " in line) <= 110


def test_figures_by_hand() -> None:
    figures = summarize(OUTCOMES, RATES)
    assert (figures.known, figures.new) == (4, 2)
    assert figures.top1 == pytest.approx(2 / 4)
    assert figures.top3 == pytest.approx(3 / 4)
    assert figures.top5 == 1
    assert figures.mean_average_precision == pytest.approx((1 + 1 / 2 + 1 / 4 + 1) / 4)
    assert figures.baks == pytest.approx(1 / 4)
    assert figures.baus == pytest.approx(1 / 2)
    assert figures.false_known.rate == pytest.approx(1 / 2)
    assert figures.misidentified.rate == pytest.approx(1 / 4)
    assert figures.false_new.rate == pytest.approx(1 / 4)
    assert figures.undecided == pytest.approx(1 / 6)
    assert figures.auroc == pytest.approx((4 + 1) / 8)
    assert sum(share.known + share.new for share in figures.verdicts) == 6


def test_without_a_fitted_model_the_best_score_tells_known_from_new() -> None:
    figures = summarize([replace(one, p_new=None) for one in OUTCOMES], RATES)
    assert figures.auroc == 1
    assert np.isnan(figures.calibration_error)


def test_json_has_null_for_what_does_not_exist() -> None:
    figures = json.loads(summarize([one for one in OUTCOMES if one.catalogued], RATES).to_json())
    assert figures["auroc"] is None
    assert figures["top5"] == 1
    assert figures["false_known"]["rate"] is None


def test_groups_are_by_side_and_quality() -> None:
    groups = {figures.name: figures for figures in by_group(OUTCOMES, RATES)}
    assert groups["side: left"].known == 4
    assert groups["side: right"].new == 2
    qualities = [figures for name, figures in groups.items() if name.startswith("quality")]
    assert sum(figures.known + figures.new for figures in qualities) == 6


def test_nothing_to_evaluate_is_no_crash() -> None:
    figures = summarize([], RATES)
    assert figures.known == figures.new == 0
    assert np.isnan(figures.top1)
    assert by_group([], RATES) == ()


def test_worst_errors_are_wrong_verdicts_first_and_surest_first() -> None:
    outranked = known("a5", Verdict.UNDECIDED, None, 0.4, "B", "A")
    worst = worst_errors([*OUTCOMES, outranked])
    assert [one.photo for one in worst] == ["z2", "a2", "a3", "a5"]
    assert worst[0].mistake == "false KNOWN"
    assert worst_errors(OUTCOMES, count=1) == worst[:1]


class _Page(HTMLParser):
    """Remembers which elements are open, and every address that the page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]


def page(outcomes: list[Outcome], pairs: PairConfidences, picture: bytes | None = None) -> str:
    method = MethodResult(summarize(outcomes, RATES, "<LightGlue>"), tuple(outcomes))
    baseline = MethodResult(summarize(outcomes, RATES, "match count"), tuple(outcomes))
    errors = tuple(WorstError(one, picture) for one in worst_errors(outcomes))
    return write_report(Material("Bay & reef", (method, baseline), by_group(outcomes, RATES), pairs, pairs, errors))


def test_the_page_needs_nothing_else() -> None:
    rng = np.random.default_rng(0)
    pairs = PairConfidences.of([np.sort(rng.random(64).astype(np.float32)) for _ in range(5)])
    text = page(OUTCOMES, pairs, b"\x89PNG\r\n\x1a\n...")
    parsed = _Page()
    parsed.feed(text)
    assert parsed.seen.count("svg") == 5
    assert parsed.seen.count("img") == 3
    assert all(address.startswith(("data:image/png", "#")) for address in parsed.fetched)
    assert "script" not in parsed.seen
    assert "&lt;LightGlue&gt;" in text
    assert "Bay &amp; reef" in text
    assert "false KNOWN: z2 is Z, not in the catalogue; answered KNOWN A" in text
    assert not re.search(r"\bnan\b", text)


def test_the_page_of_no_photos_still_opens() -> None:
    text = page([], PairConfidences.of([]))
    assert text.startswith("<!DOCTYPE html>")
    assert "None." in text


def test_the_same_evaluation_gives_the_same_figure() -> None:
    methods = [MethodResult(summarize(OUTCOMES, RATES), tuple(OUTCOMES))]
    assert cumulative_match_curves(methods) == cumulative_match_curves(methods)
