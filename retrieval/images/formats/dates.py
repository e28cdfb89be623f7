"""When a photo was taken: what cameras wrote, judged by what can be true."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from index.exchange import improbable
from retrieval.images.formats.exif import Exif, Stamp

_WRITTEN = re.compile(r"(\d{4})[:/\-. ](\d{1,2})[:/\-. ](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
_OFFSET = re.compile(r"[+-]\d{2}:\d{2}")


@dataclass(frozen=True, slots=True)
class Taken:
    """When a photo was taken.

    Attributes
    ----------
    day : date or None
        None where nothing, or nothing that can be true, is known.
    at : str or None
        The moment as ISO 8601 text, with fractions of a second and the offset from UTC where the camera wrote them.
    doubt : str or None
        Why a date that is in the file was not taken, to stand behind the photo's name.
    """

    day: dt.date | None = None
    at: str | None = None
    doubt: str | None = None


def taken(exif: Exif, today: dt.date | None = None) -> Taken:
    """The moment of the picture; never that of the file's last change, which edited and forwarded photos carry."""
    doubt = None
    for stamp in (exif.original, exif.digitized):
        moment = None if stamp is None else _moment(stamp)
        if stamp is None or moment is None:
            continue
        wrong = improbable(moment, today)
        if wrong is None:
            return Taken(moment.date(), _told(moment, stamp))
        doubt = doubt or f"is dated {moment:%Y-%m-%d}, {wrong}: its date is kept as unknown"
    changed = None if exif.changed is None else _moment(exif.changed)
    if doubt is None and changed is not None:
        doubt = (
            f"says only that it was changed on {changed:%Y-%m-%d}, not when it was taken: its date is kept as unknown"
        )
    return Taken(doubt=doubt)


def changed_on(exif: Exif) -> dt.date | None:
    """The day of a file's last change."""
    moment = None if exif.changed is None else _moment(exif.changed)
    return None if moment is None else moment.date()


def _moment(stamp: Stamp) -> dt.datetime | None:
    match = _WRITTEN.match(stamp.text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        whole = dt.datetime(year, month, day)
    except ValueError:
        return None
    if hour < 24 and minute < 60 and second < 60:
        return whole.replace(hour=hour, minute=minute, second=second)
    return whole


def _told(moment: dt.datetime, stamp: Stamp) -> str:
    fraction = f".{stamp.fraction[:9]}" if stamp.fraction.isdecimal() and stamp.fraction.isascii() else ""
    offset = stamp.offset if _OFFSET.fullmatch(stamp.offset) else ""
    return f"{moment.isoformat()}{fraction}{offset}"
