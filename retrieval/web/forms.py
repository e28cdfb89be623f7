"""What a request brings: fields of a form or of a script's JSON, checked for our token and turned into values."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from index.errors import InputError
from retrieval.web.guard import Door, csrf_matches
from retrieval.web.uploads import MOST_FILES

TOKEN = "csrf"
HEADER = "x-csrf"
LONGEST = 2000
MOST_FIELDS = 8 * MOST_FILES
"""The page of a whole import sends six of each photo."""
_KEY = re.compile(r"[A-Za-z0-9-]{8,64}")


class NotOurs(InputError):
    """The form does not come from one of our own pages."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Texts by name; a field may come several times."""

    values: Mapping[str, Sequence[str]]

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field, without blanks at its ends. Raises InputError for absurdly long ones."""
        found = self.values.get(name) or [default]
        if len(found[-1]) > LONGEST:
            raise InputError(f"The field {name} is too long.")
        return found[-1].strip()

    def every(self, name: str) -> list[str]:
        """All values of a field."""
        return list(self.values.get(name, ()))

    def numbers(self, name: str) -> tuple[int, ...]:
        """All whole numbers of a field, also those that one value lists with commas. Raises InputError."""
        parts = [part.strip() for value in self.every(name) for part in value.split(",") if part.strip()]
        if any(not part.lstrip("-").isdecimal() or len(part) > 15 for part in parts):
            raise InputError(f"The field {name} has to list whole numbers.")
        return tuple(int(part) for part in parts)

    def key(self, name: str) -> str:
        """The random name that an answer carries. Raises InputError."""
        text = self.text(name)
        if not _KEY.fullmatch(text):
            raise InputError("An answer needs a key of its own.")
        return text

    def number(self, name: str) -> int:
        """One whole number. Raises InputError."""
        found = self.numbers(name)
        if len(found) != 1:
            raise InputError(f"The field {name} has to be one whole number.")
        return found[0]

    def share(self, name: str, default: float) -> float:
        """A decimal number. Raises InputError."""
        text = self.text(name)
        try:
            return float(text.replace(",", ".")) if text else default
        except ValueError as error:
            raise InputError(f"{text!r} is no number.") from error

    def day(self, name: str) -> dt.date | None:
        """A day as YYYY-MM-DD, or None. Raises InputError."""
        text = self.text(name)
        try:
            return dt.date.fromisoformat(text) if text else None
        except ValueError as error:
            raise InputError(f"{text!r} is no day; write it as 2026-01-31.") from error

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name).lower() in ("on", "true", "1", "yes")


def query_fields(request: Request) -> Fields:
    """What stands behind the question mark of an address."""
    values: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        values.setdefault(name, []).append(value)
    return Fields(values)


async def sent_fields(request: Request, door: Door) -> Fields:
    """Fields of a POST. Raises NotOurs without our token, InputError for what is no form."""
    if request.headers.get("content-type", "").startswith("application/json"):
        fields = _of_json(await request.body())
    else:
        async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
            values: dict[str, list[str]] = {}
            for name, value in form.multi_items():
                if isinstance(value, str):
                    values.setdefault(name, []).append(value)
            fields = Fields(values)
    require_token(request, door, fields)
    return fields


def require_token(request: Request, door: Door, fields: Fields) -> None:
    """Raises NotOurs where neither a header nor a field brings our token."""
    if not csrf_matches(door, request.headers.get(HEADER) or fields.text(TOKEN)):
        raise NotOurs("This form is from another page or an earlier start of `turtleidx review`; load it again.")


def wants_json(request: Request) -> bool:
    """Whether a script asks."""
    return "application/json" in request.headers.get("accept", "")


def _of_json(body: bytes) -> Fields:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("That is no JSON.") from error
    if not isinstance(read, dict):
        raise InputError("That is no JSON object.")
    values: dict[str, list[str]] = {}
    for name, value in read.items():
        many = value if isinstance(value, list) else [value]
        values[str(name)] = [_text(one) for one in many if one is not None]
    return Fields(values)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
