"""`turtleidx serve` without Ray: who may ask, how much, and that answers are those of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from index.catalog.catalog import Catalog
from retrieval.cluster.application import Answering, application
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.novelty.decision import DecisionPolicy
from retrieval.pipeline.galleries import OwnGallery
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole

TOKEN = {"Authorization": "Bearer secret"}
MOST = 1 << 20


@pytest.fixture
def lost() -> list[int]:
    return []


@pytest.fixture
def client(own: Shell, lost: list[int]) -> Iterator[TestClient]:
    catalog = Catalog.open(own.catalog)
    engine = Engine.load(catalog.recipe, EngineOptions(matcher="nearest"))
    answering = Answering(catalog, engine, DecisionPolicy(), OwnGallery(catalog, engine), lambda: lost)
    with TestClient(application(answering, "secret", MOST), raise_server_exceptions=False) as client:
        yield client


def sent(path: Path, name: str | None = None) -> Any:
    return (name or path.name, path.read_bytes())


def test_an_answer_is_that_of_the_command_line(client: TestClient, own: Shell, samples: SampleSet) -> None:
    for one in [one for one in samples.samples if one.photo.endswith("-2.jpg") or one.role == "new"][::9]:
        path = samples.folder / one.photo
        told = own("query", path, "--side", "left", "--matcher", "nearest", "--json", "--top", "2").out
        expected = json.loads(told.replace(str(path), path.name))
        found = client.post("/query", files={"photo": sent(path)}, data={"side": "left", "top": "2"}, headers=TOKEN)
        assert found.status_code == 200
        assert found.json() | {"seconds": 0} == expected | {"seconds": 0}
        assert found.json()["photo"] == path.name


def test_an_encounter_is_answered_together(client: TestClient, own: Shell, samples: SampleSet) -> None:
    paths = [samples.folder / one.photo for one in samples.samples if one.turtle == "T004"][:2]
    command = ("query", "--encounter", "--left", paths[0], "--left", paths[1], "--matcher", "nearest", "--json")
    [expected] = own(*command).records
    found = client.post("/encounter", files=[("left", sent(path)) for path in paths], headers=TOKEN).json()
    assert [one["photo"] for one in found["photos"]] == [path.name for path in paths]
    for record in (found, expected):
        del record["seconds"], record["photos"]
    assert {key: found[key] for key in ("verdict", "turtle", "p_new")} == {
        key: expected[key] for key in ("verdict", "turtle", "p_new")
    }


@pytest.mark.parametrize("shown", [{}, {"Authorization": "Bearer guess"}, {"Authorization": "secret"}])
def test_only_who_has_the_token_may_ask(client: TestClient, samples: SampleSet, shown: dict[str, str]) -> None:
    path = samples.folder / samples.samples[0].photo
    refused = client.post("/query", files={"photo": sent(path)}, headers=shown)
    assert (refused.status_code, "TURTLEIDX" in refused.text.upper()) == (401, True)
    assert client.get("/nothing", headers=shown).status_code == 401


def test_a_request_may_be_so_long(client: TestClient) -> None:
    long = client.post("/query", files={"photo": ("a.jpg", bytes(MOST + 1))}, headers=TOKEN)
    assert (long.status_code, long.json()["error"]) == (413, "A request may be 1 MB long at most.")

    def pieces() -> Iterator[bytes]:
        yield from [bytes(MOST // 4)] * 8

    kind = {"content-type": "multipart/form-data; boundary=x"}
    streamed = client.post("/query", content=pieces(), headers=TOKEN | kind)
    assert streamed.status_code in (400, 413)


@pytest.mark.parametrize(
    ("files", "data", "sentence"),
    [
        ({}, {"side": "left"}, "Send one photo"),
        ({"photo": ("a.jpg", b"x")}, {"side": "below"}, "below"),
        ({"photo": ("a.jpg", b"x")}, {"top": "0"}, "from 1 to 100"),
        ({}, {"photo": "a.jpg"}, "holds no file"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(
    client: TestClient, files: dict[str, Any], data: dict[str, str], sentence: str
) -> None:
    refused = client.post("/query", files=files, data=data, headers=TOKEN)
    assert refused.status_code == 400
    assert sentence in refused.json()["error"]


@pytest.mark.parametrize("name", ["../../etc/a.jpg", "C:\\photos\\a.jpg", "", "..", "a\x00b.jpg", "x" * 300])
def test_a_name_is_only_shown(client: TestClient, name: str) -> None:
    found = client.post("/query", files={"photo": (name or "-", b"no photo")}, headers=TOKEN)
    assert (found.status_code, found.json()["verdict"]) == (200, "REFUSED")
    assert "/" not in found.json()["photo"]
    assert "turtleidx-" not in found.text


def test_watchers_are_told_without_a_token(client: TestClient, lost: list[int]) -> None:
    assert client.get("/health").json() == {"healthy": True}
    assert client.get("/ready").json() == {"ready": True, "not_reached": []}
    lost.append(2)
    ready = client.get("/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "not_reached": [2]})
    assert client.get("/nothing", headers=TOKEN).status_code == 404
