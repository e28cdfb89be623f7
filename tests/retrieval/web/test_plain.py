"""Without scripts: the forms of the pair say everything that an answer needs, whatever the secrets look like."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from retrieval.web.desk import Desk, ReviewOptions
from retrieval.web.guard import Door
from retrieval.web.queue.planting import Planting
from tests.retrieval.web.conftest import HOST, entered
from tests.retrieval.web.test_desk import eventually

pytestmark = pytest.mark.whole

UNDERSCORES = "_-" * 22
"""Secrets are of the alphabet of base64 for addresses: these letters come one time in thirty-two each."""


@pytest.fixture
def unlucky(catalog: Catalog) -> Iterator[Desk]:
    desk = Desk(catalog, ReviewOptions("Ana", matcher="nearest"), Door([HOST], "turtleidx_8000", csrf=UNDERSCORES))
    desk.start()
    eventually(lambda: desk.snapshot is not None and desk.snapshot.complete)
    yield desk
    desk.close()


def form_of(asking: TestClient, address: str) -> dict[str, str]:
    """Fields of the form without scripts."""
    [form] = re.findall(r"<noscript><form.*?</form>", asking.get(address).text, re.DOTALL)
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def test_a_form_answers_once_however_often_it_is_sent(unlucky: Desk) -> None:
    asking = entered(unlucky)
    key = unlucky.looked("Ana")[0].key
    fields = form_of(asking, f"/compare/{key}") | {"said": "new"}
    for _ in range(2):
        assert asking.post("/answer", data=fields).headers["location"] == "/compare"
    assert [one.action for one in Browser(unlucky.catalog).history()].count("review new") == 1


def test_a_planted_pair_is_answered_by_a_form_too(unlucky: Desk) -> None:
    planting = Planting(unlucky.catalog, unlucky.bench, seed=1)
    unlucky._planting = planting
    planting._plant()
    [key] = planting._open
    asking = entered(unlucky)
    answered = asking.post("/answer", data=form_of(asking, f"/compare/{key}") | {"said": "new"})
    assert (answered.status_code, answered.headers["location"]) == (303, "/compare")
