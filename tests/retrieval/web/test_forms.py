"""What a form may bring."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from retrieval.web.forms import TOKEN, sent_fields
from retrieval.web.guard import Door
from retrieval.web.uploads import MOST_FILES

DOOR = Door({"testserver"}, "turtleidx")
EACH = ("take", "turtle", "side", "day", "encounter", "site")


async def counted(request: Request) -> Response:
    fields = await sent_fields(request, DOOR)
    return JSONResponse({name: len(fields.every(name)) for name in EACH})


def test_a_form_holds_all_that_an_import_shows() -> None:
    client = TestClient(Starlette(routes=[Route("/import/1", counted, methods=["POST"])]))
    sent = {TOKEN: DOOR.csrf} | {name: ["x"] * MOST_FILES for name in EACH}
    answered = client.post("/import/1", data=sent)
    assert answered.status_code == 200
    assert answered.json() == dict.fromkeys(EACH, MOST_FILES)
