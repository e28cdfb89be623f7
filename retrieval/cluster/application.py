"""The addresses of `turtleidx serve`: photos in, JSON as `turtleidx query --json` prints it out. Nothing is written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from index.catalog import Catalog
from index.errors import InputError, TurtleidxError
from index.exchange import parse_side
from index.types import Side, Sighting
from retrieval import schemas
from retrieval.cluster.request_limits import RequestLimits
from retrieval.engine import Engine
from retrieval.images import Question
from retrieval.novelty import DecisionPolicy
from retrieval.pipeline import Answer, AskedEncounter, FollowUp, Gallery, answer, answer_encounters

TOP, MOST_TOP = 5, 100
"""Candidates of an answer, where the request names no other number, and at most."""
MOST_PHOTOS = 50
"""Of one encounter."""


class Answering:
    """Reads photos that came in and answers as the command line does.

    Parameters
    ----------
    unreachable : callable
        Numbers of the shards that do not answer now.
    """

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        policy: DecisionPolicy,
        gallery: Gallery,
        unreachable: Callable[[], Collection[int]],
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._policy = policy
        self._gallery = gallery
        self._unreachable = unreachable

    def ready(self) -> list[int]:
        """Shards that do not answer."""
        return sorted(self._unreachable())

    def photo(self, asked: Question, top: int) -> dict[str, object]:
        """The answer about one photo."""
        [one] = answer(self._catalog, [asked], self._engine, "", self._policy, FollowUp(), self._gallery)
        return _of_photo(one, top)

    def encounter(self, asked: Sequence[Question], top: int) -> dict[str, object]:
        """One answer about all of them."""
        together = [AskedEncounter(None, tuple(asked))]
        [one] = answer_encounters(self._catalog, together, self._engine, "", self._policy, FollowUp(), self._gallery)
        return schemas.encounter_answer_record(one, top)


def _of_photo(one: Answer, top: int) -> dict[str, object]:
    return schemas.identification_record(one.identification, top) | {"enrolled_as": None, "moved_from": []}


def application(answering: Answering, token: str, most: int) -> Starlette:
    """The server of one process; requests are `most` bytes long at most."""

    async def health(request: Request) -> Response:
        del request
        return JSONResponse({"healthy": True})

    async def ready(request: Request) -> Response:
        del request
        lost = await run_in_threadpool(answering.ready)
        return JSONResponse({"ready": not lost, "not_reached": lost}, 503 if lost else 200)

    async def query(request: Request) -> Response:
        async with request.form(max_files=1, max_fields=10) as form:
            with tempfile.TemporaryDirectory(prefix="turtleidx-") as folder:
                [asked] = await _kept(form, folder, ("photo",), one=True)
                found = await run_in_threadpool(answering.photo, asked, _top(form))
        return JSONResponse(_named(found, folder))

    async def encounter(request: Request) -> Response:
        async with request.form(max_files=MOST_PHOTOS, max_fields=10) as form:
            with tempfile.TemporaryDirectory(prefix="turtleidx-") as folder:
                asked = await _kept(form, folder, ("photo", "left", "right"), one=False)
                found = await run_in_threadpool(answering.encounter, asked, _top(form))
        return JSONResponse(_named(found, folder))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/query", query, methods=["POST"]),
            Route("/encounter", encounter, methods=["POST"]),
        ],
        middleware=[Middleware(RequestLimits, token=token, most=most)],
        exception_handlers={TurtleidxError: _sentence, HTTPException: _refused},
    )


async def _sentence(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"error": str(error)}, 400 if isinstance(error, InputError) else 503)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def _kept(form: FormData, folder: str, fields: Sequence[str], *, one: bool) -> list[Question]:
    """What was sent in these fields, in files of this folder. Raises InputError."""
    asked = []
    for name in fields:
        for number, sent in enumerate(form.getlist(name)):
            if not isinstance(sent, UploadFile):
                raise InputError(f"The field {name} holds no file: send photos as multipart/form-data.")
            # browsers and programs send whatever names they like; only the last part is ever used, and only for show
            place = Path(folder) / f"{name}-{number}" / (_shown(sent.filename) or "photo")
            place.parent.mkdir()
            with place.open("wb") as file:
                while chunk := await sent.read(1 << 20):
                    await run_in_threadpool(file.write, chunk)
            side = Side(name) if name != "photo" else _side(form)
            asked.append(Question(Sighting(str(place), side=side), {}))
    if not asked or (one and len(asked) > 1):
        raise InputError("Send one photo in the field photo." if one else "Send photos in the fields left and right.")
    return asked


def _shown(name: str | None) -> str:
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')[-100:].strip(". ")


def _side(form: FormData) -> Side | None:
    given = form.get("side")
    if given in (None, ""):
        return None
    try:
        return parse_side(str(given))
    except ValueError as error:
        raise InputError(f"{error}.") from error


def _top(form: FormData) -> int:
    given = str(form.get("top", TOP))
    if not given.isdecimal() or not 1 <= int(given) <= MOST_TOP:
        raise InputError(f"The field top is a number from 1 to {MOST_TOP}.")
    return int(given)


def _named(found: dict[str, object], folder: str) -> dict[str, object]:
    """Photos by the names that they were sent under, without the place where they lay meanwhile."""

    def shown(value: object) -> object:
        if isinstance(value, str):
            return _without(value, folder)
        if isinstance(value, dict):
            return {key: shown(one) for key, one in value.items()}
        return [shown(one) for one in value] if isinstance(value, list) else value

    return {key: shown(value) for key, value in found.items()}


def _without(text: str, folder: str) -> str:
    while (at := text.find(folder)) >= 0:
        end = text.find("/", at + len(folder) + 1)
        text = text[:at] + text[end + 1 :] if end >= 0 else text[:at] + text[at + len(folder) :]
    return text
