"""What a hostile page, a stranger on the network or a careless file name gets: a refusal, and nothing else."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from retrieval.web.application import application
from retrieval.web.desk import Desk, ReviewOptions
from retrieval.web.guard import MOST_BODY, Door
from retrieval.web.pages import CHANGED, SHOWN
from tests.retrieval.web.conftest import HOST, entered

pytestmark = pytest.mark.whole

TRAVERSALS = [
    "/photo/../../etc/passwd/large.jpg",
    "/photo/%2e%2e%2f%2e%2e%2fetc%2fpasswd/large.jpg",
    "/photo/1/..%2f..%2fregistry.duckdb.jpg",
    "/photo/99999999999999999999/large.jpg",
    "/photo/-1/large.jpg",
    "/photo/1e3/large.jpg",
    "/photo/1/huge.jpg",
    "/static/../words.py",
    "/static/%2e%2e/words.py",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/import/../../etc",
    "/import/..%2f..%2fetc",
    "/import/ffffffffffffffffffffffffffffffff/0.jpg",
    "/report/..%2fregistry.csv",
    "/turtle/..%2f..%2fetc%2fpasswd",
    "/compare/%00",
    "/registry.duckdb",
]


@pytest.fixture
def stranger(desk: Desk) -> TestClient:
    return TestClient(application(desk), base_url=f"http://{HOST}", follow_redirects=False)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1:9999", "localhost", "", "[::1]:8000"])
def test_a_foreign_host_header_is_refused_even_with_the_token(desk: Desk, client: TestClient, host: str) -> None:
    for path in ("/", "/turtles", f"/?k={desk.door.token}"):
        assert client.get(path, headers={"host": host}).status_code == 400


def test_without_the_token_nothing_is_shown(stranger: TestClient) -> None:
    for path, _ in SHOWN:
        asked = path.replace("{key}", "1").replace("{name:path}", "T001").replace("{number}", "1")
        answered = stranger.get(asked.replace("{size}", "large").replace("{draft}", "0" * 32).replace("{row}", "0"))
        assert answered.status_code == 403
        assert "T001" not in answered.text
    assert stranger.get("/static/review.css").status_code == 403
    assert stranger.get("/?k=wrong").status_code == 403
    assert "set-cookie" not in stranger.get("/?k=wrong").headers


def test_the_token_leaves_the_address_and_becomes_a_strict_cookie(desk: Desk, stranger: TestClient) -> None:
    answered = stranger.get(f"/?k={desk.door.token}")
    assert (answered.status_code, answered.headers["location"]) == (303, "/")
    cookie = answered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert desk.door.token.lower() not in cookie
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "none"},
        {"origin": f"https://{HOST}"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_pages_requests_are_refused(desk: Desk, client: TestClient, headers: dict[str, str]) -> None:
    fields = {"csrf": desk.door.csrf, "group": "1"}
    assert client.post("/later", data=fields, headers=headers).status_code == 403
    assert client.get("/photo/49/large.jpg", headers={**headers, "sec-fetch-mode": "no-cors"}).status_code == 403
    assert not desk.later


@pytest.mark.parametrize("path", [path for path, _ in CHANGED] + ["/import/upload"])
def test_nothing_changes_without_our_own_token(catalog: Catalog, client: TestClient, path: str) -> None:
    before = Browser(catalog).history()
    asked = path.replace("{name:path}", "T001").replace("{draft}", "0" * 32)
    for fields in ({}, {"csrf": "guess"}, {"csrf": ""}):
        assert client.post(asked, data=fields, files={} if path != "/import/upload" else None).status_code == 403
    assert client.post(asked, json={"csrf": "guess"}).status_code == 403
    assert client.get(asked).status_code in (200, 400, 404, 405, 503)  # no GET changes anything
    assert Browser(catalog).history() == before


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_of_a_request_is_opened(client: TestClient, path: str) -> None:
    answered = client.get(path)
    assert answered.status_code in (400, 403, 404)
    assert "root:" not in answered.text
    assert "import" not in answered.headers.get("content-type", "")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_unknown(client: TestClient, method: str) -> None:
    answered = client.request(method, "/turtles")
    assert answered.status_code == 405
    assert not [name for name in answered.headers if name.startswith("access-control")]


def test_every_answer_forbids_frames_scripts_of_others_and_sniffing(client: TestClient, stranger: TestClient) -> None:
    for answered in (client.get("/"), client.get("/nothing"), client.get("/static/page.js"), stranger.get("/")):
        policy = answered.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert answered.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answered.headers
    assert "<script>" not in client.get("/").text


def test_a_huge_body_is_refused_whether_it_says_so_or_not(desk: Desk, client: TestClient) -> None:
    headers = {"x-csrf": desk.door.csrf, "content-type": "application/json"}
    huge = b"[" + b"1," * MOST_BODY
    assert client.post("/answer", content=huge, headers=headers).status_code == 413
    chunks = (huge[at : at + 65536] for at in range(0, len(huge), 65536))
    assert client.post("/answer", content=chunks, headers=headers).status_code == 413


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"group": {}}', b"[" * 900_000, b'{"group": 1e999}', b"\xff\xfe"])
def test_nonsense_is_refused_in_one_sentence(desk: Desk, client: TestClient, body: bytes) -> None:
    headers = {"x-csrf": desk.door.csrf, "content-type": "application/json", "accept": "application/json"}
    answered = client.post("/answer", content=body, headers=headers)
    assert answered.status_code == 400
    assert answered.json()["error"].endswith(".")


def test_names_with_markup_are_data(catalog: Catalog, desk: Desk) -> None:
    name = '<script>alert("1")</script>'
    curator = Curator(catalog, '<b onload="x">Ana</b>', "'\"><img src=x onerror=alert(1)>")
    curator.rename_turtle("T001", name)
    asking = entered(desk)
    for path in ("/turtles", "/history", "/turtle/%3Cscript%3Ealert(%221%22)%3C%2Fscript%3E"):
        answered = asking.get(path)
        assert answered.status_code == 200
        assert "<script>alert" not in answered.text
        assert "<img src=x" not in answered.text
        assert "&lt;" in answered.text
    asking.cookies.set("turtleidx_8000_name", "%3Cscript%3Ealert(2)%3C/script%3E")
    assert "<script>alert" not in asking.get("/").text


def test_read_only_changes_nothing(catalog: Catalog) -> None:
    door = Door([HOST], "turtleidx_8000", read_only=True)
    asking = entered(Desk(catalog, ReviewOptions("Ana", read_only=True), door))
    before = Browser(catalog).history()
    for path, _ in CHANGED:
        asked = path.replace("{name:path}", "T001").replace("{draft}", "0" * 32)
        assert asking.post(asked, data={"csrf": door.csrf, "event": "1", "what": "retire"}).status_code == 403
    assert Browser(catalog).history() == before
    assert "Read-only" in asking.get("/").text
