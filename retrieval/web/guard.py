"""Who may ask this server anything: one person with the address that the terminal printed, from one place.

A web server on a laptop is reachable by every page that the same browser has open. So the Host header must be ours
(DNS rebinding), a cookie that only the printed address gives must be there, whatever changes something must come from
our own pages and bring their token (cross-site requests), and answers say that no other page may frame or read them.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
SAFE = frozenset({"GET", "HEAD"})
MOST_BODY = 1 << 20
MOST_UPLOAD = 2 << 30
UPLOADS = "/import"
TOO_LARGE = "That is more than this page takes at once."
OWN = frozenset({"same-origin", "none"})


class TooLarge(Exception):
    """A body that is longer than its kind may be."""


@dataclass(frozen=True, slots=True)
class Door:
    """What is asked of every request.

    Attributes
    ----------
    hosts : collection of str
        Host headers that are ours, with the port.
    token : str
        What the printed address carries; 32 random bytes.
    cookie : str
        Name of the cookie that stands for it; browsers share cookies between ports, so it names ours.
    read_only : bool
        Whether changes are refused.
    """

    hosts: Collection[str]
    cookie: str
    read_only: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Guard:
    """ASGI middleware that lets a request in, exchanges the token for a cookie, or refuses in one sentence."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here
        guarded = _with_headers(send)
        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        most = MOST_UPLOAD if scope["path"].startswith(UPLOADS) else MOST_BODY
        await self._app(scope, _at_most(receive, most), guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, method = Headers(scope=scope), scope["method"]
        host = headers.get("host", "")
        if host not in self._door.hosts:
            return _refuse(400, "This address is not the one that `turtleidx review` printed.")
        if method not in {*SAFE, "POST"}:
            return _refuse(405, "Only GET and POST are understood here.")
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        # browsers say "null" for our own forms too, because our pages name no referrer
        ours = {f"http://{host}", "null"} if site == "same-origin" else {f"http://{host}"}
        foreign = site not in OWN or (origin is not None and origin not in ours)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if method in SAFE and scope["path"] == "/" and (given := query.pop("k", [""])[0]):
            return self._exchanged(given, query)
        if not self._known(headers):
            return _refuse(403, "Open the address that `turtleidx review` printed in the terminal; it lets you in.")
        if foreign and (method not in SAFE or headers.get("sec-fetch-mode") != "navigate"):
            return _refuse(403, "Another page asked for this; only turtleidx's own pages may.")
        if method in SAFE:
            return None
        if self._door.read_only:
            return _refuse(403, "This page is read-only; start `turtleidx review` without --read-only to decide.")
        length = headers.get("content-length", "0")
        most = MOST_UPLOAD if scope["path"].startswith(UPLOADS) else MOST_BODY
        if not length.isdecimal() or int(length) > most:
            return too_large()
        return None

    def _exchanged(self, given: str, query: Mapping[str, list[str]]) -> Response:
        """A cookie for the token, and the same address without it."""
        if not compare_digest(given.encode(), self._door.token.encode()):
            return _refuse(403, "The address has expired: `turtleidx review` printed a new one when it was started.")
        rest = urlencode(query, doseq=True)
        entered = RedirectResponse(f"/?{rest}" if rest else "/", 303)
        entered.set_cookie(self._door.cookie, self._door.session, httponly=True, samesite="strict", path="/")
        return entered

    def _known(self, headers: Headers) -> bool:
        shown = cookie_parser(headers.get("cookie", "")).get(self._door.cookie, "")
        return compare_digest(shown.encode(), self._door.session.encode())


def too_large() -> Response:
    """For a body that turned out to be longer than it may be."""
    return _refuse(413, TOO_LARGE)


def csrf_matches(door: Door, given: object) -> bool:
    """Whether a form or a script brought the token of our own pages."""
    return isinstance(given, str) and compare_digest(given.encode(), door.csrf.encode())


def _refuse(status: int, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status)


def _at_most(receive: Receive, most: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise TooLarge
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
