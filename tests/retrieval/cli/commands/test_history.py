"""The history as people read it, in the time of their machine."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest

from tests.retrieval.shelling import Shell


@pytest.fixture
def makassar(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine eight hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "WITA-8")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("makassar")
def test_times_are_local_with_their_zone_and_json_stays_utc(shell: Shell) -> None:
    assert shell("turtles", "note", "T001", "one flipper").code == 0
    [event] = shell("history", "--limit", "1", "--json").records
    moment = dt.datetime.fromisoformat(event["at"])
    local = (moment.replace(tzinfo=None) + dt.timedelta(hours=8)).strftime("%Y-%m-%d %H:%M WITA")
    assert local in " ".join(shell("history", "--limit", "1").out.split())
    early = (moment.replace(tzinfo=None) + dt.timedelta(hours=8, milliseconds=-1)).isoformat()
    late = (moment.replace(tzinfo=None) + dt.timedelta(hours=8, milliseconds=1)).isoformat()
    assert shell("turtles", "show", "T001", "--as-of", early, "--json").records[0]["note"] is None
    assert shell("turtles", "show", "T001", "--as-of", late, "--json").records[0]["note"] == "one flipper"
