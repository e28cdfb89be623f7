"""What the READMEs show is run: the front page on drawn photos, the catalogue's commands in their order, the Python."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

from index import Catalog
from synthetic.front_page import ASKED
from synthetic.samples import SampleSet
from tests.docs.readmes import FRONT, INDEX, RETRIEVAL, Typed, blocks, table_rows, typed
from tests.index.making import photo
from tests.retrieval.shelling import Outcome, Shell, sized

pytestmark = pytest.mark.whole

FASTER = {"enroll": ("--no-fit", "--extractor", "sift-256-320"), "query": ("--matcher", "nearest")}
"""Said behind a command of the front page, so that a small catalogue of drawn photos is enough for it."""


@pytest.fixture
def season(
    samples: SampleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """The folder of the front page: turtles in `gallery`, and in `new` a photo of T004 and one of a stranger."""
    for one in samples.samples:
        target = {"T004/left-2.jpg": "new/a.jpg", "T023/left-1.jpg": "new/b.jpg"}.get(one.photo)
        if one.role != "new" and not one.photo.endswith("-2.jpg"):
            target = f"gallery/{one.photo}"
        if target is not None:
            (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(samples.folder / one.photo, tmp_path / target)
    return Shell(tmp_path / "turtles.catalog", capsys, monkeypatch)


def run(shell: Shell, line: Typed, *more: str) -> Outcome:
    done = shell(*line.words[1:], *more, answer="y\n")
    assert done.code == 0, f"{line}: {done.err}"
    return done


def squashed(printed: str, folder: str) -> set[str]:
    """Lines without their folder and without what aligns them."""
    return {" ".join(line.replace(folder, "").split()) for line in printed.splitlines()} - {""}


def test_the_commands_of_the_front_page_print_what_it_shows(season: Shell) -> None:
    """Figures depend on the photos; every other line, the verdict and the turtle do not."""
    lines = [line for line in typed(FRONT, "turtleidx") if line.printed]
    assert len(lines) == 5
    assert {word for line in lines for word in line.words if word.startswith("new/")} == ASKED.keys()
    for line in lines:
        done = run(season, line, *FASTER.get(line.words[1], ()))
        fitted = season("fit", "--matcher", "nearest") if line.words[1] == "enroll" else None  # the page's fits itself
        said = done.out + done.err + ("" if fitted is None else fitted.out + fitted.err)
        told = squashed(said, f"{season.catalog.parent}/")
        shown = {one for one in squashed(line.printed, "/turtles/") if not re.search(r"\d", one)}
        assert shown <= told, f"{line} does not print {shown - told}"
        assert fitted is None or fitted.code == 0
        if "new/a.jpg" in line.words:
            assert [text.startswith("new/a.jpg: KNOWN T004 ") for text in (line.printed, done.out)] == [True, True]
            assert Path(line.words[line.words.index("--plot") + 1]).exists()
        if "new/b.jpg" in line.words:
            assert line.printed.startswith("new/b.jpg: NEW ")


def test_the_json_of_a_query_has_the_documented_keys(season: Shell) -> None:
    documented = {
        key
        for cells in table_rows(RETRIEVAL)
        if len(cells) == 2 and cells[0].startswith("`") and "/" not in cells[0]
        for key in re.findall(r"`(\w+)`", cells[0])
    }
    assert season("enroll", "gallery/T001", "gallery/T002", "--not-by-folder", *FASTER["enroll"]).code == 0
    Path("asked.csv").write_text("photo,side\nnew/a.jpg,left\n", encoding="utf-8")
    [record] = season("query", "--manifest", "asked.csv", "--keep", "--json", *FASTER["query"]).records
    assert record.keys() <= documented
    assert len(record) > 10


def test_the_commands_on_a_catalogue_run_in_their_order(shell: Shell, samples: SampleSet) -> None:
    field = Path(shutil.copytree(shell.catalog, shell.catalog.parent / "field.catalog"))
    Catalog.open(field).enroll([sized(photo(8, "T018"))], "Ben")
    Path("disk").mkdir()
    Path("disk/5.jpg").write_text("5")
    drawn = iter(one.photo for one in samples.samples if one.turtle in ("T010", "T011"))
    for target in ("PHOTOS/T019/1.jpg", "beach/1.jpg", "beach/2.jpg", "3.jpg"):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples.folder / next(drawn), target)
    Path("photos.csv").write_text("photo,turtle,role\n3.jpg,T021,gallery\n", encoding="utf-8")
    lines = typed(INDEX, "turtleidx")
    assert len(lines) > 40
    for line in lines:
        run(shell, line)


def test_the_python_runs_on_drawn_photos(season: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks(RETRIEVAL, "python")
    assert len(examples) == 2
    Path("gallery").rename("photos")
    Path("new/a.jpg").rename("new.jpg")
    test = doctest.DocTestParser().get_doctest("\n".join(examples), {}, RETRIEVAL.name, str(RETRIEVAL), 0)
    failed, tried = doctest.DocTestRunner().run(test, clear_globs=False)
    assert (failed, tried > 10) == (0, True), capsys.readouterr().out
