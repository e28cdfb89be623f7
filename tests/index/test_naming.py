"""Which names can be kept, and how others are shown."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from index.errors import InputError
from index.naming import account, checked_id, checked_path, shown

NO_TEXT = os.fsdecode(b"zz\xe9.jpg")


def test_a_turtles_id_is_short_printable_text() -> None:
    assert checked_id("Nina é") == "Nina é"
    for name in ("", " lead", "trail ", "x" * 121, "a\nb", "a\0b"):
        with pytest.raises(InputError, match="cannot be a turtle's id"):
            checked_id(name)


def test_a_path_is_text_down_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked_path("é/a.jpg") == "é/a.jpg"
    with pytest.raises(InputError, match=r"zz\N{REPLACEMENT CHARACTER}\.jpg has a name.*rename it\."):
        checked_path(f"mix/{NO_TEXT}")
    with pytest.raises(InputError, match="name of a file"):
        checked_path("a\0b.jpg")
    odd = tmp_path / os.fsdecode(b"\xe9")
    odd.mkdir()
    monkeypatch.chdir(odd)
    with pytest.raises(InputError, match="a folder's"):
        checked_path("a.jpg")


def test_what_is_shown_can_be_printed() -> None:
    assert shown(Path("mix") / NO_TEXT) == "mix/zz\N{REPLACEMENT CHARACTER}.jpg"


def test_an_account_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert account() == getpass.getuser()
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert account() == "4000000"
