"""The queue's order: laws that hold for any groups."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, strategies as st

from retrieval.novelty.decision import Verdict
from retrieval.web.queue.order import Order, Pace, Pile, Waiting, entropy, later_last, pile_of, ranked, reranked, worth

probabilities = st.floats(0, 1)
groups = st.lists(
    st.builds(
        Waiting,
        key=st.integers(1, 10_000),
        verdict=st.sampled_from([Verdict.KNOWN, Verdict.NEW, Verdict.UNDECIDED]),
        p_new=st.none() | probabilities,
        photos=st.integers(1, 30),
        probabilities=st.lists(probabilities, max_size=9).map(tuple),
        sides_disagree=st.booleans(),
        limits=st.booleans(),
        disputed=st.booleans(),
        look=st.lists(st.sampled_from(["T1", "T2", "T3", "T4"]), unique=True).map(tuple),
        day=st.none() | st.dates(dt.date(2000, 1, 1)),
        site=st.none() | st.sampled_from(["Bay", "Reef"]),
        file=st.text("abc", max_size=3),
    ),
    unique_by=lambda one: one.key,
    max_size=30,
)


@given(groups, st.sampled_from(list(Order)), st.randoms())
def test_every_group_comes_once_and_whoever_asks_gets_the_same_order(found, order, random) -> None:  # type: ignore[no-untyped-def]
    first = ranked(found, order)
    assert sorted(one.key for one in first) == sorted(one.key for one in found)
    shuffled = list(found)
    random.shuffle(shuffled)
    assert ranked(shuffled, order) == first


@given(groups)
def test_contested_ones_come_before_undecided_before_new_before_known(found: list[Waiting]) -> None:
    order = [Pile.DISPUTED, Pile.CONTESTED, Pile.UNDECIDED, Pile.PROBABLY_NEW, Pile.KNOWN]
    piles = [order.index(pile_of(one)) for one in ranked(found)]
    assert piles == sorted(piles)


@given(groups)
def test_within_undecided_ones_what_tells_most_a_second_comes_first(found: list[Waiting]) -> None:
    values = [worth(one, Pace()) for one in ranked(found) if pile_of(one) is Pile.UNDECIDED]
    assert values == sorted(values, reverse=True)


@given(groups, st.data())
def test_what_is_on_the_screen_stays_there(found: list[Waiting], data: st.DataObject) -> None:
    shown = data.draw(st.lists(st.sampled_from([one.key for one in found]), unique=True)) if found else []
    fresh = reranked(shown, ranked(found))
    assert [one.key for one in fresh[: len(shown)]] == shown
    assert sorted(one.key for one in fresh) == sorted(one.key for one in found)


@given(groups, st.sets(st.integers(1, 10_000)))
def test_what_was_put_off_comes_last_in_its_order(found: list[Waiting], later: set[int]) -> None:
    first = ranked(found)
    put = later_last(first, later)
    away = [one.key in later for one in put]
    assert away == sorted(away)
    assert [one for one in put if one.key in later] == [one for one in first if one.key in later]


@given(probabilities)
def test_a_coin_toss_tells_most(p: float) -> None:
    assert 0.0 <= entropy(p) <= 1.0
    assert entropy(p) == entropy(1 - p) or abs(entropy(p) - entropy(1 - p)) < 1e-9
    assert entropy(0.5) == 1.0


def test_look_alikes_of_one_new_turtle_follow_each_other() -> None:
    def new(key: int, *look: str) -> Waiting:
        return Waiting(key, Verdict.NEW, 0.99, 1, look=look)

    found = [new(1, "A", "B"), new(2, "X", "Y"), new(3, "A", "B"), new(4, "X", "Y"), new(5, "A", "B")]
    assert [one.key for one in ranked(found)] == [1, 3, 5, 2, 4]
