"""Verdicts from probabilities, and several photos of one encounter."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from index.types import Side
from retrieval.novelty.advice import advise
from retrieval.novelty.catalog_model import explained
from retrieval.novelty.conformal import Rates, Threshold, Thresholds
from retrieval.novelty.decision import Verdict, decide
from retrieval.novelty.expectation import expect
from retrieval.novelty.model import NoveltyModel
from retrieval.novelty.posterior import Candidates, Posterior, fuse
from retrieval.novelty.samples import TooSmall
from tests.retrieval.generated import World

THRESHOLDS = Thresholds(Threshold(-2.0, -2.0), Threshold(0.2, 0.2), Threshold(-1.0, -1.0))


@cache
def model() -> NoveltyModel:
    world = World(0, 60)
    fitted = NoveltyModel.fit(
        world.impostor_maxima(60), world.genuine_scores(60), world.photos, world.occasions(60), replicates=2
    )
    assert isinstance(fitted, NoveltyModel)
    return fitted


def posterior(scores: dict[int, float], prior_new: float = 0.3, not_compared: float = 0.0) -> Posterior:
    turtle = np.array(list(scores), np.int64)
    candidates = Candidates(turtle, np.array(list(scores.values()), np.float64), np.full(len(turtle), 3))
    return model().posterior(candidates, 60, prior_new, not_compared)


def test_a_high_and_leading_score_is_known() -> None:
    decision = decide(posterior({7: 2.0, 8: 0.1}), THRESHOLDS)
    assert decision.verdict is Verdict.KNOWN
    assert decision.turtle == 7
    assert decision.certified


def test_a_low_score_is_new() -> None:
    decision = decide(posterior({7: 0.05, 8: 0.04}, prior_new=0.7), THRESHOLDS)
    assert decision.verdict is Verdict.NEW
    assert decision.turtle is None


def test_two_equal_matches_are_undecided() -> None:
    decision = decide(posterior({7: 2.0, 8: 1.99}), THRESHOLDS)
    assert decision.verdict is Verdict.UNDECIDED
    assert "Two catalogued turtles" in decision.reason


def test_between_the_thresholds_is_undecided() -> None:
    never = Threshold(-np.inf, -np.inf)
    decision = decide(posterior({7: 0.4, 8: 0.1}), Thresholds(never, THRESHOLDS.misidentified, never))
    assert decision.verdict is Verdict.UNDECIDED
    assert re.fullmatch(
        r"Such scores are [\d.]+ times as likely for a (catalogued|new) turtle as for a \w+ one; this catalogue is too "
        r"small for (KNOWN|NEW) at the promised rate\.",
        decision.reason,
    )
    strict = Threshold(-8.0, -8.0)
    told = decide(posterior({7: 0.4, 8: 0.1}), Thresholds(strict, THRESHOLDS.misidentified, strict)).reason
    assert told.endswith("takes over 1000 times.")


def test_an_undecided_answer_says_how_many_turtles_the_promise_needs() -> None:
    strict = Threshold(-40.0, -np.inf, individuals=12, needed=99)
    thresholds = Thresholds(strict, THRESHOLDS.misidentified, strict)
    known = decide(posterior({7: 0.9, 8: 0.1}), thresholds).reason
    assert known.endswith(
        "KNOWN takes over 1000 times, by the model alone: 99 turtles would certify the rate (here 12)."
    )
    new = decide(posterior({7: 0.05, 8: 0.04}, prior_new=0.7), thresholds).reason
    assert "; NEW takes over 1000 times" in new
    assert "99 turtles seen on two occasions would certify the rate (here 12)" in new
    nothing = Threshold(-np.inf, -np.inf, individuals=12, needed=99)
    small = decide(posterior({7: 0.4, 8: 0.1}), Thresholds(nothing, THRESHOLDS.misidentified, nothing)).reason
    assert "too small for" in small
    assert "(here 12)" in small
    equal = Thresholds(THRESHOLDS.false_known, Threshold(0.0, -np.inf, 12, 99), THRESHOLDS.false_new)
    twins = decide(posterior({7: 2.0, 8: 1.99}), equal).reason
    assert "99 turtles seen on two occasions would certify the rate (here 12)" in twins
    assert "certify" not in decide(posterior({7: 2.0, 8: 1.99}), THRESHOLDS).reason


def test_a_threshold_counts_the_turtles_behind_it() -> None:
    thresholds = model().thresholds(Rates())
    assert (thresholds.false_new.individuals, thresholds.false_new.needed) == (60, 19)
    assert (thresholds.misidentified.individuals, thresholds.misidentified.needed) == (60, 99)
    assert thresholds.misidentified.lacks
    assert not thresholds.false_new.lacks


def test_what_a_fit_lets_expect_is_said_with_what_it_rests_on() -> None:
    found = expect(model())
    assert 0.1 < found.known <= 1
    assert 0.1 < found.new <= 1
    assert (found.turtles, found.needed) == (60, 99)
    assert "can be certified with 99 turtles seen on two occasions (here 60)" in found.sentence
    loose = expect(model(), Rates(0.05, 0.05, 0.05))
    assert loose.known >= found.known
    assert "certified" not in loose.sentence


def test_where_the_fit_stopped_at_its_budget_the_catalogue_is_not_called_too_small() -> None:
    stopped = replace(model(), stopped_at=20_000)
    told = expect(stopped).sentence
    assert "99 turtles seen on two occasions (this fit asked about 60; `turtleidx fit` asks about more)" in told
    assert "`turtleidx fit --budget 400000` asks about more" in expect(replace(model(), stopped_at=200_000)).sentence
    nothing = Threshold(-np.inf, -np.inf, individuals=12, needed=99)
    thresholds = Thresholds(nothing, THRESHOLDS.misidentified, nothing, stopped_at=20_000)
    for scores, prior in (({7: 0.9, 8: 0.1}, 0.3), ({7: 0.05, 8: 0.04}, 0.7)):
        undecided = decide(posterior(scores, prior), thresholds).reason
        assert "too few turtles were asked about for" in undecided
        assert "(the fit asked about 12; `turtleidx fit` asks about more)" in undecided
        assert "too small" not in undecided
        assert "here 12" not in undecided
    modelled = replace(THRESHOLDS, false_known=replace(THRESHOLDS.false_known, certified=-np.inf), stopped_at=20_000)
    known = decide(posterior({7: 2.0, 8: 0.1}), modelled)
    assert (known.verdict, known.certified) == (Verdict.KNOWN, False)
    assert "the fit asked about too few turtles for this rate, and `turtleidx fit` asks" in explained(known, 0)
    assert "the catalogue is too small for this rate" in explained(replace(known, stopped_at=0), 0)


@pytest.mark.parametrize("together", [False, True])
def test_the_budget_at_which_a_fit_stopped_is_stored_and_absent_in_earlier_models(together: bool) -> None:
    record = replace(model(), stopped_at=20_000).to_record()
    assert NoveltyModel.from_record(record).thresholds(Rates(), together).stopped_at == 20_000
    before = {name: value for name, value in record.items() if name != "stopped_at"}
    assert NoveltyModel.from_record(before).thresholds(Rates(), together) == model().thresholds(Rates(), together)


def test_a_fit_that_stopped_early_does_not_call_the_catalogue_too_small() -> None:
    world = World(0, 60)
    asked = world.impostor_maxima(10), world.genuine_scores(10), world.photos
    small, stopped = (NoveltyModel.fit(*asked, replicates=2, stopped_at=at) for at in (0, 500))
    assert isinstance(small, TooSmall)
    assert small.reason.startswith("The catalogue is too small for probabilities")
    assert isinstance(stopped, TooSmall)
    assert stopped.reason.startswith("The fit asked about too few turtles for probabilities")
    assert stopped.reason.endswith("; `turtleidx fit` asks about more.")


def test_rare_scores_are_said_in_one_way() -> None:
    decision = decide(posterior({7: 2.0, 8: 0.1}), THRESHOLDS)
    assert "Only fewer" not in decision.reason


def test_probably_on_the_other_side_is_undecided() -> None:
    decision = decide(posterior({7: 0.05, 8: 0.04}, prior_new=0.1, not_compared=0.8), THRESHOLDS)
    assert decision.verdict is Verdict.UNDECIDED
    assert "was not compared" in decision.reason


def test_without_candidates_or_model_the_verdict_is_undecided() -> None:
    assert decide(posterior({}), THRESHOLDS).verdict is Verdict.UNDECIDED
    small = decide(TooSmall("Nineteen turtles are needed."), None)
    assert small.verdict is Verdict.UNDECIDED
    assert small.reason == "Nineteen turtles are needed."
    assert not small.certified


def test_a_rate_that_cannot_be_certified_is_marked() -> None:
    thresholds = model().thresholds(Rates(false_known=0.001, misidentified=0.05, false_new=0.05))
    assert thresholds.false_known.certified == -np.inf
    assert np.isfinite(thresholds.false_new.certified)
    found = posterior({7: 5.0, 8: 0.05})
    modelled = replace(THRESHOLDS, false_known=Threshold(-found.ratio, -found.ratio - 1))
    decision = decide(found, modelled)
    assert decision.verdict is Verdict.KNOWN
    assert not decision.certified


def test_stricter_rates_never_decide_more() -> None:
    for together in (False, True):
        loose, strict = (model().thresholds(Rates(rate, rate, rate), together) for rate in (0.2, 0.05))
        assert strict.false_known.value <= loose.false_known.value
        assert strict.false_new.value <= loose.false_new.value


@pytest.mark.parametrize(
    ("scores", "prior", "towards"),
    [({7: 2.0, 8: 0.1}, 0.3, Verdict.KNOWN), ({7: 0.05, 8: 0.04}, 0.7, Verdict.NEW)],
)
def test_an_undecided_answer_leans(scores: dict[int, float], prior: float, towards: Verdict) -> None:
    never = Threshold(-np.inf, -np.inf)
    decision = decide(posterior(scores, prior), Thresholds(never, never, never))
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.towards is towards


@pytest.mark.parametrize("scores", [{7: 2.0, 8: 0.1}, {7: 2.0, 8: 1.99}, {7: 0.05, 8: 0.04}, {7: 0.4, 8: 0.1}])
@pytest.mark.parametrize("absent", [0, 5])
def test_advice_names_what_to_look_at(scores: dict[int, float], absent: int) -> None:
    never = Threshold(-np.inf, -np.inf)
    found = posterior(scores)
    decision = decide(found, Thresholds(never, never, never))
    said = advise(decision, found, [("T007", "seven.jpg"), ("T008", "eight.jpg")], absent)
    leans = {Verdict.KNOWN: "probably T007", Verdict.NEW: "probably new", Verdict.UNDECIDED: "cannot tell"}
    assert said.lean == leans[decision.towards]
    assert said.settle is not None
    assert "seven.jpg" in said.settle
    assert advise(decide(found, None), found, [], absent).lean == "cannot tell"
    assert advise(replace(decision, verdict=Verdict.NEW), found, [], absent).lean is None


def test_one_photo_fuses_to_itself() -> None:
    one = posterior({7: 1.0, 8: 0.1})
    assert fuse([one], [Side.LEFT]) is one


def test_fused_probabilities_sum_to_one() -> None:
    photos = [posterior({7: 1.0, 8: 0.1}), posterior({8: 0.2, 9: 0.3}), posterior({})]
    fused = fuse(photos, [Side.LEFT, Side.LEFT, Side.RIGHT])
    assert fused.p_new + fused.p_candidates.sum() + fused.p_not_compared == pytest.approx(1)
    assert fused.turtle.tolist() == [7, 8, 9]
    assert fused.p_new_low <= fused.p_new <= fused.p_new_high


def test_a_repeated_photo_is_no_new_evidence() -> None:
    one = posterior({7: 0.6, 8: 0.1})
    twice = fuse([one, one], [Side.LEFT, Side.LEFT])
    assert twice.p_new == pytest.approx(one.p_new)
    assert twice.tail >= one.tail
    assert twice.low == one.low


def test_the_other_side_is_new_evidence() -> None:
    one = posterior({7: 0.6, 8: 0.1})
    both = fuse([one, one], [Side.LEFT, Side.RIGHT])
    assert both.p_candidates[0] > one.p_candidates[0]


@pytest.mark.parametrize("sides", [(Side.LEFT, None), (None, Side.RIGHT, Side.LEFT), (None, None, Side.LEFT)])
def test_a_photo_of_which_the_side_is_not_stated_may_show_what_another_shows(sides: tuple[Side | None, ...]) -> None:
    one = posterior({7: 0.6, 8: 0.1})
    fused = fuse([one] * len(sides), sides)
    assert fused.ratio == pytest.approx(one.ratio)
    assert fused.p_new == pytest.approx(one.p_new)
    assert fused.p_new_low == pytest.approx(one.p_new_low)


def test_photos_that_name_two_turtles_are_not_known() -> None:
    clear, other = posterior({7: 2.0, 8: 0.1}), posterior({7: 0.1, 8: 1.9})
    fused = fuse([clear, other, other], [Side.LEFT, Side.LEFT, Side.LEFT])
    assert decide(fused, THRESHOLDS).verdict is Verdict.UNDECIDED


def test_one_good_photo_forbids_new() -> None:
    good, bad = posterior({7: 2.0, 8: 0.1}), posterior({7: 0.05, 8: 0.04})
    assert decide(fuse([good, bad, bad], [Side.LEFT] * 3), THRESHOLDS).verdict is not Verdict.NEW
