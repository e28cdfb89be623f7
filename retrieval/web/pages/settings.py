"""What people set: their name and keys in the browser, the terms for everybody in the catalogue."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from retrieval.web.desk import patiently
from retrieval.web.forms import Fields
from retrieval.web.screen import THEMES, Screen, Show, to
from retrieval.web.settings import ReviewSettings, checked_name, save_settings

A_YEAR = 365 * 24 * 3600


def settings(screen: Screen, request: Request, fields: Fields) -> Response:
    """The page."""
    return screen.page(request, "settings", settings=screen.desk.settings, themes=THEMES, saved=fields.ticked("saved"))


def mine(screen: Screen, request: Request, fields: Fields) -> Response:
    """Keep a person's own choices in their browser."""
    del request
    answered = to("/settings?saved=1")
    theme = fields.text("theme") if fields.text("theme") in THEMES else THEMES[0]
    keys = "on" if fields.ticked("keys") else "off"
    for kind, value in (("name", quote(checked_name(fields.text("name")))), ("theme", theme), ("keys", keys)):
        answered.set_cookie(screen.cookie_name(kind), value, max_age=A_YEAR, httponly=True, samesite="strict", path="/")
    return answered


def everybodys(screen: Screen, request: Request, fields: Fields) -> Response:
    """Keep the terms for all who review this catalogue."""
    desk = screen.desk
    chosen = ReviewSettings(
        prior_new=fields.share("prior_new", desk.settings.prior_new),
        false_known=fields.share("false_known", desk.settings.false_known),
        misidentified=fields.share("misidentified", desk.settings.misidentified),
        false_new=fields.share("false_new", desk.settings.false_new),
        blind=fields.ticked("blind"),
        check_my_eye=fields.ticked("check_my_eye"),
    ).checked()
    patiently(lambda: save_settings(desk.catalog, chosen, screen.who(request)))
    desk.change_settings(chosen)
    return to("/settings?saved=1")


SHOWN: list[tuple[str, Show]] = [("/settings", settings)]
CHANGED: list[tuple[str, Show]] = [("/settings/mine", mine), ("/settings/everybody", everybodys)]
