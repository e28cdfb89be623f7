"""A newcomer, who reads no more than `--help` and what answers say is next, gets from a folder to a decided season."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from synthetic.samples import SampleSet
from tests.retrieval.cli.conftest import SMALL
from tests.retrieval.shelling import Outcome, Shell

pytestmark = pytest.mark.whole

QUICK = {"enroll": (*SMALL, "--no-fit"), "fit": ("--matcher", "nearest"), "identify": ("--matcher", "nearest")}
"""What makes a test of it: small pictures and the quickest matcher."""
COMMAND = re.compile(r"`turtleidx ([^`]+)`")


class Newcomer:
    """Types only what was read."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.read = self._after(shell("--help"))

    def types(self, begin: str, *, replacing: dict[str, str] | None = None) -> Outcome:
        """The first command that was read and begins so, with the reader's own folder or turtle in it."""
        command = next(one for one in self.read if one.startswith(begin))
        words = [(replacing or {}).get(word, word) for word in shlex.split(command)]
        done = self._shell(*words, *(() if "--is" in words or "--new" in words else QUICK.get(words[0], ())))
        assert done.code == 0, done.err
        self.read = self._after(done)
        return done

    def _after(self, said: Outcome) -> list[str]:
        """Commands of the help, or of the lines that say what is next."""
        lines = f"{said.out}\n{said.err}".splitlines()
        told = [line.partition("next: ")[2] for line in lines if "next: " in line] or [" ".join(lines)]
        return COMMAND.findall(" ".join(" ".join(told).split()))


@pytest.fixture
def folders(samples: SampleSet, tmp_path: Path) -> dict[str, str]:
    """A folder of named turtles, and who is in a season: a photo each of eight turtles, two each of two strangers."""
    truth = {}
    for one in samples.samples:
        name = one.photo.replace("/", "-")
        if one.role != "new" and not one.photo.endswith("-2.jpg"):
            target = tmp_path / "turtles" / one.photo
        elif one.turtle <= "T008" or (one.role == "new" and not one.photo.endswith("-3.jpg")):
            target, truth[name] = tmp_path / "season" / name, one.turtle
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples.folder / one.photo, target)
    return truth


def test_from_a_folder_to_a_decided_season(
    folders: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path / "turtles.catalog", capsys, monkeypatch)
    newcomer = Newcomer(shell)
    newcomer.types("enroll", replacing={"FOLDER": "turtles"})
    newcomer.types("fit")
    newcomer.types("enroll", replacing={"FOLDER": "season"})
    drawn = newcomer.types("identify", replacing={"FOLDER": "pictures"})
    assert len(list((tmp_path / "pictures").iterdir())) == drawn.out.count("next: ")

    ids: dict[str, str] = {}
    for command in list(newcomer.read):  # a group after the other, as somebody answers who looks at the pictures
        if "--is" not in command and "--new" not in command:
            continue
        words = shlex.split(command)
        encounters = [int(word) for word in words if word.isdigit()]
        seen, shown = who(shell, encounters, folders)
        known = ids.get(shown) or (shown if shown <= "T022" else None)
        answer = ["--is", known] if known else ["--new"]
        done = shell("identify", *map(str, encounters), *answer)
        assert done.code == 0, done.err
        ids[shown] = owner(shell, seen)

    assert shell("encounters", "list", "--unidentified", "--json").records == []
    looking = Browser(Catalog.open(shell.catalog))
    for photo in looking.photos():
        truth = folders.get(Path(photo.path).name)
        assert truth is None or photo.turtle == ids[truth]
    assert len(set(ids.values())) == 10
    assert len(shell.turtles()) == 24


def who(shell: Shell, encounters: list[int], truth: dict[str, str]) -> tuple[int, str]:
    """A photo of these encounters, and whom they show: one turtle, or the program has linked two."""
    looking = Browser(Catalog.open(shell.catalog))
    photos = [photo for number in encounters for photo in looking.photos(encounter=number)]
    [one] = {truth[Path(photo.path).name] for photo in photos}
    return photos[0].id, one


def owner(shell: Shell, photo: int) -> str:
    """The turtle that a photo has now; its encounter may have become part of one of the same day."""
    [record] = shell("photos", "show", str(photo), "--json").records
    return str(record["turtle"])
