"""Two windows do not look at one group at the same time."""

from __future__ import annotations

from retrieval.web.queue.leases import SECONDS, Leases


def test_the_first_window_has_a_group_until_it_goes_on_or_its_time_is_up() -> None:
    now = [0.0]
    leases = Leases(lambda: now[0])
    assert leases.take(5, "a", "Ana").window == "a"
    assert leases.take(5, "b", "Ben").who == "Ana"
    assert set(leases.others("b")) == {5}
    assert leases.others("a") == {}
    leases.take(6, "a", "Ana")  # a window looks at one group
    assert leases.take(5, "b", "Ben").window == "b"
    now[0] += SECONDS + 1
    assert leases.others("a") == {}
    assert leases.take(5, "a", "Ana").window == "a"


def test_an_answered_group_is_nobodys() -> None:
    leases = Leases()
    leases.take(5, "a", "Ana")
    leases.release(5)
    assert leases.take(5, "b", "Ben").window == "b"
