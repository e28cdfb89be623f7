"""Moments as people read them: in the time of the machine that shows them, with its zone. Stored moments are UTC."""

from __future__ import annotations

import datetime as dt


def local(moment: dt.datetime) -> str:
    """A stored moment to the minute, such as `2026-11-29 02:15 CET`."""
    aware = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
    here = aware.astimezone()
    return f"{here:%Y-%m-%d %H:%M} {here.tzname() or f'UTC{here:%z}'}"


def stored(moment: dt.datetime) -> dt.datetime:
    """A moment as it is stored; one that names no zone is in this machine's time."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
