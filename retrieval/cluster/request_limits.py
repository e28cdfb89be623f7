"""Who may ask, and how long a request may be: decided before anything of it is kept."""

from __future__ import annotations

from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = frozenset({"/health", "/ready"})
"""Addresses that tell nothing of the catalogue, for whoever watches over servers."""


class RequestTooLong(Exception):
    """A body that turned out to be longer than it may be."""


class RequestLimits:
    """ASGI middleware: a bearer token for all but `OPEN`, and at most so many bytes a request."""

    def __init__(self, app: ASGIApp, token: str, most: int) -> None:
        self._app = app
        self._token = token
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, send)
            return
        try:
            await self._app(scope, self._counted(receive), send)
        except RequestTooLong:
            await self._too_long()(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        kind, _, shown = headers.get("authorization", "").partition(" ")
        known = kind.lower() == "bearer" and compare_digest(shown.strip().encode(), self._token.encode())
        if scope["path"] not in OPEN and not known:
            sentence = "Show the token that `turtleidx serve` was started with: Authorization: Bearer TOKEN."
            return JSONResponse({"error": sentence}, 401, {"www-authenticate": "Bearer"})
        length = headers.get("content-length", "0")
        return self._too_long() if not length.isdecimal() or int(length) > self._most else None

    def _too_long(self) -> Response:
        return JSONResponse({"error": f"A request may be {self._most >> 20} MB long at most."}, 413)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise RequestTooLong
            return message

        return counted
