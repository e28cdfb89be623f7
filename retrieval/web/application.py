"""The pages' addresses, and what stands in front of them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from index.errors import TurtleidxError, UnknownRecord
from retrieval.web.desk import Desk
from retrieval.web.forms import query_fields, sent_fields
from retrieval.web.guard import Guard, TooLarge, too_large
from retrieval.web.pages import CHANGED, SHOWN, uploading
from retrieval.web.screen import HERE, Screen, Show


def application(desk: Desk) -> ASGIApp:
    """The server of one desk, guarded."""
    screen = Screen(desk)
    routes = [
        Route("/import/upload", uploading(screen), methods=["POST"]),
        *(Route(path, _showing(screen, show), methods=["GET"]) for path, show in SHOWN),
        *(Route(path, _changing(screen, change), methods=["POST"]) for path, change in CHANGED),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncIterator[None]:
        del app
        desk.start()
        yield
        desk.close()

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status != 404:
            return JSONResponse({"error": "That cannot be answered."}, status)
        return await run_in_threadpool(screen.refusal, request, UnknownRecord("There is no such page."))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, TurtleidxError)
        return await run_in_threadpool(screen.refusal, request, error)

    async def longer(request: Request, error: Exception) -> Response:
        del request, error
        return too_large()

    handlers = {HTTPException: missing, TurtleidxError: refused, TooLarge: longer}
    return Guard(Starlette(routes=routes, lifespan=living, exception_handlers=handlers), desk.door)


def _showing(screen: Screen, show: Show) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        return show(screen, request, query_fields(request))

    return endpoint


def _changing(screen: Screen, change: Show) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        fields = await sent_fields(request, screen.desk.door)
        return await run_in_threadpool(change, screen, request, fields)

    return endpoint
