"""`turtleidx shard`, `check --shards`, and what work on a cluster says where something does not fit."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from index.shards.manifest import ShardManifest
from index.shards.shard import Shard
from tests.index.making import photo
from tests.retrieval.shelling import Shell, sized


@pytest.fixture
def shell(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on the catalogue of seven photos."""
    return Shell(Path(shutil.copytree(made, tmp_path / "turtles.catalog")), capsys, monkeypatch)


def test_shards_are_made_checked_repaired_and_give_back(shell: Shell) -> None:
    made = shell("shard", "--into", "shards", "--shards", "2", "--json")
    assert made.code == 0
    [record] = made.records
    assert (sum(record["photos"]), len(record["photos"])) == (7, 2)
    assert (record["added"], record["removed"], record["lacking"]) == (7, 0, 0)
    assert "0 came in, 0 left" in shell("shard", "--into", "shards").out
    assert shell("check", "--shards", "shards", "--json").records == [
        {"photos": 7, "problems": [], "repaired": [], "shards": 2}
    ]
    shutil.rmtree("shards/shard-0001")
    found = shell("check", "--shards", "shards")
    assert (found.code, "problem: Shard 1" in found.out, "--repair makes again" in found.out) == (3, True, True)
    mended = shell("check", "--shards", "shards", "--repair")
    assert (mended.code, "repaired: Shard 1" in mended.out) == (0, True)
    shutil.rmtree(shell.catalog / "features.lmdb")
    assert "7 photos have their features back" in shell("shard", "--from", "shards").out
    assert shell("check").code == 0


def test_lost_features_are_named(shell: Shell) -> None:
    catalog = Catalog.open(shell.catalog)
    catalog.feature_store.delete([photo(3).sha256])
    done = shell("shard", "--into", "shards", "--shards", "2")
    assert (done.code, "photos/3.jpg" in done.err, "turtleidx reindex" in done.err) == (3, True, True)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["shard"], "--into"),
        (["shard", "--into", "a", "--from", "b"], "--into"),
        (["shard", "--from", "b", "--shards", "2"], "goes with --into"),
        (["check", "--repair"], "goes with --shards"),
        (["query", "photos/1.jpg", "--cluster", "auto"], "go together"),
        (["query", "photos/1.jpg", "--shards", "shards"], "go together"),
    ],
)
def test_wrong_usage_is_told(shell: Shell, command: list[str], sentence: str) -> None:
    done = shell(*command)
    assert (done.code, sentence in done.err) == (2, True)


@pytest.mark.parametrize("command", ["query", "serve", "enroll"])
def test_without_ray_the_extra_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    shell("shard", "--into", "shards", "--shards", "2")
    Path("1.jpg").write_text("1")
    monkeypatch.setitem(sys.modules, "ray", None)
    line = {
        "query": ["query", "1.jpg", "--matcher", "nearest", "--shards", "shards"],
        "serve": ["serve", "--shards", "shards"],
        "enroll": ["enroll", "1.jpg", "--turtle", "T001"],
    }[command]
    done = shell(*line, "--cluster", "auto")
    assert (done.code, "pip install 'turtleidx[cluster]'" in done.err) == (1, True)


def test_shards_that_do_not_fit_are_refused_before_anything_is_started(shell: Shell) -> None:
    Path("1.jpg").write_text("1")
    query = ["query", "1.jpg", "--matcher", "nearest", "--cluster", "auto", "--shards"]
    none = shell(*query, "nowhere")
    assert (none.code, "turtleidx shard --into" in none.err) == (1, True)
    shell("shard", "--into", "shards", "--shards", "2")
    manifest = ShardManifest.read(Path("shards"))
    ShardManifest("another", manifest.recipe, 2).write(Path("shards"))
    other = shell(*query, "shards")
    assert (other.code, "another catalogue" in other.err) == (1, True)


def test_photos_that_came_later_wait_for_the_next_shard_command(shell: Shell) -> None:
    shell("shard", "--into", "shards", "--shards", "2")
    catalog = Catalog.open(shell.catalog)
    catalog.enroll([sized(photo(8, "T017")), sized(photo(9, "T017"))], "Ben")
    [record] = shell("shard", "--into", "shards", "--json").records
    assert (record["added"], record["removed"]) == (2, 0)
    of_turtle = [
        shard
        for shard in (Shard(Path("shards"), number, catalog.recipe) for number in range(2))
        if {6, 8, 9} & set(shard.members().ids.tolist())
    ]
    assert len(of_turtle) == 1
