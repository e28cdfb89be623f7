"""Templates filled with what every page has: the strings, the person's name, the token, what waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from index.errors import Conflict, InputError, TurtleidxError, UnknownRecord
from retrieval.web.desk import Desk
from retrieval.web.forms import Fields, NotOurs, wants_json
from retrieval.web.settings import checked_name
from retrieval.web.words import words

HERE = Path(__file__).parent
PAGES = ("home", "queue", "known", "turtles", "encounters", "import", "audit", "history", "report", "settings")
THEMES = ("auto", "light", "dark")

Show = Callable[["Screen", Request, Fields], Response]
"""What answers one address."""


class Screen:
    """Makes answers for one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "share": share,
            "file": lambda path: PurePath(path).name,
            "json": lambda value: json.dumps(value, ensure_ascii=False).replace("</", "<\\/"),
            "path": lambda text: quote(text, safe=""),
        }
        self._environment.globals["t"] = words()

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A whole page."""
        desk = self.desk
        common = {
            "here": name,
            "pages": [one for one in PAGES if not desk.options.read_only or one not in ("import", "settings")],
            "csrf": desk.door.csrf,
            "who": self.who(request),
            "theme": self.cookie(request, "theme", THEMES),
            "single_keys": self.cookie(request, "keys", ("on", "off")),
            "read_only": desk.options.read_only,
            "lan": desk.options.lan,
            "snapshot": desk.snapshot,
            "outbox": len(desk.outbox.waiting()),
            "blind": desk.settings.blind,
        }
        html = self._environment.get_template(f"{name}.html").render(common | values)
        return HTMLResponse(html, status)

    def who(self, request: Request) -> str:
        """The name that a person gave, or the one that the server was started with."""
        try:
            return checked_name(unquote(request.cookies.get(self.cookie_name("name"), "")))
        except InputError:
            return self.desk.options.who

    def cookie_name(self, kind: str) -> str:
        """Cookies are shared between ports, so each of ours names the port's own."""
        return f"{self.desk.door.cookie}_{kind}"

    def cookie(self, request: Request, kind: str, allowed: tuple[str, ...]) -> str:
        """A choice that is kept in the browser; the first one unless another was made."""
        chosen = request.cookies.get(self.cookie_name(kind), allowed[0])
        return chosen if chosen in allowed else allowed[0]

    def refusal(self, request: Request, error: TurtleidxError) -> Response:
        """One sentence, as a page or for a script."""
        status = 400
        if isinstance(error, UnknownRecord):
            status = 404
        elif isinstance(error, NotOurs):
            status = 403
        elif isinstance(error, Conflict):
            status = 409
        elif not isinstance(error, InputError):
            status = 503
        if wants_json(request):
            return JSONResponse({"error": str(error)}, status)
        return self.page(request, "error", status, sentence=str(error))


def to(path: str) -> RedirectResponse:
    """After a form, the page that shows what it did."""
    return RedirectResponse(path, 303)


def share(value: float | None) -> str:
    """A probability as people read it."""
    if value is None:
        return "–"
    if 0 < value < 0.005:
        return "< 1 %"
    if 0.995 < value < 1:
        return "> 99 %"
    return f"{value:.0%}".replace("%", " %")
