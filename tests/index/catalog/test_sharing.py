"""One writer and many readers, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.curation.curator import Curator
from index.errors import CatalogBusy, CatalogDamaged, CatalogReadOnly
from index.types import GalleryFilter
from tests.index.making import photo, readable_only

ROOT = Path(__file__).parents[3]
ALL = GalleryFilter(identified=False)

READ = """
import json, sys
from pathlib import Path
from index.catalog import Catalog
from index.types import GalleryFilter
from tests.index.making import vector
catalog, seen = Catalog.open(Path(sys.argv[1])), []
while not seen or seen[-1] < int(sys.argv[2]):
    found = catalog.shortlist(vector(1), 1000, GalleryFilter(identified=False), per_turtle=1000)
    assert found.gallery_photos == len(found.photos)
    assert all(len(features) == 64 for features in catalog.features(found.photos))
    seen.append(len(found.photos))
print(json.dumps(sorted(set(seen))))
"""

WRITE = """
import sys
import threading
from pathlib import Path
from index.catalog import Catalog
with Catalog.open(Path(sys.argv[1])).writing("turtleidx enroll folder"):
    print("holding", flush=True)
    sys.stdin.read()
"""


LINGER = """
import sys
from pathlib import Path
from index.catalog import Catalog
store = Catalog.open(Path(sys.argv[1])).feature_store
with store.environment.reading() as (transaction, databases):
    print("open", flush=True)
    sys.stdin.readline()
    print(len([key for key, _ in transaction.cursor(db=databases[b"thumbnails"])]))
print(len(store.digests()))
"""

READ_ON = """
import sys
from pathlib import Path
from index.catalog import Catalog
from tests.index.making import photo
store, kept, opened = Catalog.open(Path(sys.argv[1])).feature_store, photo(0), 0
while not Path(sys.argv[2]).exists():
    [features] = store.features([kept.sha256])
    assert features is not None and len(features) == 64
    opened += 1
    if opened == 1:
        print("reading", flush=True)
print(opened)
"""


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_threads_read_what_is_committed_while_one_writes(catalog: Catalog) -> None:
    first = photo(0, "T000")
    catalog.enroll([first], "Ana")
    with (
        catalog.writing("test"),
        catalog.transaction("test", "Ana", dry_run=True) as transaction,
        ThreadPoolExecutor(1) as other,
    ):
        transaction.run("DELETE FROM photos")
        assert catalog.enrolled([first.sha256]) == {}
        assert len(other.submit(catalog.enrolled, [first.sha256]).result(timeout=10)) == 1


def test_threads_may_ask_at_any_moment_of_a_transaction(catalog: Catalog) -> None:
    photos, done = [photo(seed, f"T{seed:03d}") for seed in range(24)], threading.Event()

    def ask() -> set[int]:
        seen = set()
        while not done.wait(0.002):
            seen.add(len(catalog.enrolled([one.sha256 for one in photos])))
        return seen

    with ThreadPoolExecutor(1) as other:
        asking = other.submit(ask)
        try:
            for start in range(0, 24, 3):
                catalog.enroll(photos[start : start + 3], "Ana")
        finally:
            done.set()
        assert asking.result() <= set(range(0, 25, 3))  # whole batches


def test_readers_only_ever_see_whole_batches(catalog: Catalog) -> None:
    readers = [run(READ, catalog.path, 24) for _ in range(2)]
    for first in range(0, 24, 8):
        catalog.enroll([photo(seed, f"T{seed:03d}") for seed in range(first, first + 8)], "Ana")
    for reader in readers:
        seen = json.loads(reader.communicate(timeout=60)[0])
        assert seen[-1] == 24
        assert all(count % 8 == 0 for count in seen)


def test_a_second_writer_is_told_who_is_writing(catalog: Catalog) -> None:
    with run(WRITE, catalog.path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "holding\n"
        with pytest.raises(CatalogBusy, match=rf"process {writer.pid} on .*turtleidx enroll folder.* since \d{{4}}-"):
            catalog.set_setting("any", "change", "Ana")
        assert catalog.photos(ALL) == []  # readers are not kept out
        writer.kill()
    catalog.set_setting("any", "change", "Ana")  # a dead writer holds nothing


@pytest.mark.parametrize("batches", range(2, 4))  # LMDB's file has two beginnings, which take turns
def test_whoever_reads_while_photos_are_compacted_away_sees_what_was_and_others_what_is(
    catalog: Catalog, batches: int
) -> None:
    for seed in range(batches):
        catalog.enroll([photo(seed, f"T{seed:03d}")], "Ana")
    Curator(catalog, "Ana").remove_photos([1])
    with run(LINGER, catalog.path) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        for again in range(2):
            compact_catalog(catalog, "Ana")
            reopened = Catalog.open(catalog.path)
            assert len(reopened.features(reopened.photos(ALL))) == batches - 1 + again
            assert check_catalog(reopened).problems == ()
            reopened.enroll([photo(100 + again, "T100")], "Ana")
            assert json.loads(run(READ, catalog.path, batches + again).communicate(timeout=60)[0]) == [batches + again]
        assert reader.communicate("\n", timeout=60)[0].split() == [str(batches), str(batches + 1)]
    assert reader.returncode == 0
    assert check_catalog(Catalog.open(catalog.path)).problems == ()


def test_photos_are_read_at_any_moment_of_compacting(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(0, "T000")], "Ana")
    readers = [run(READ_ON, catalog.path, tmp_path / "done") for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
    try:
        for more in range(30):
            others = [photo(seed) for seed in range(1, 9 + more % 3)]
            catalog.feature_store.put_beside(others)
            catalog.feature_store.delete([other.sha256 for other in others])
            catalog.feature_store.compact()
    finally:
        (tmp_path / "done").touch()
    for reader in readers:
        assert int(reader.communicate(timeout=60)[0]) > 30
        assert reader.returncode == 0


def test_writing_is_entered_again_for_free(catalog: Catalog) -> None:
    with catalog.writing("outer"), catalog.writing("inner"):
        catalog.set_setting("any", "change", "Ana")
    assert Browser(catalog).history()[0].command == "outer"
    assert not (catalog.path / "writer.json").exists()


def test_a_catalogue_that_may_only_be_read_is_read(catalog: Catalog) -> None:
    catalog.enroll([photo(1)], "Ana")
    for path in [*catalog.path.rglob("*"), catalog.path]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        if os.access(catalog.path, os.W_OK):
            pytest.skip("this user may write anywhere")
        reader = Catalog.open(catalog.path)
        assert len(reader.features(reader.photos(ALL))) == 1
    finally:
        for path in [catalog.path, *catalog.path.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


MAKE = """
import sys
import threading
from pathlib import Path
from index.catalog import Catalog
from index.errors import CatalogExists
from tests.index.making import RECIPE
print("ready", flush=True)
sys.stdin.readline()
try:
    Catalog.create(Path(sys.argv[1]), RECIPE)
    print("made")
except CatalogExists:
    print("there", Catalog.open(Path(sys.argv[1])).recipe == RECIPE)
"""


def test_of_processes_that_make_one_catalogue_at_once_one_does(tmp_path: Path) -> None:
    makers = [run(MAKE, tmp_path / "turtles.catalog") for _ in range(6)]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("\n")
        maker.stdin.flush()
    said = sorted(maker.communicate(timeout=60)[0].strip() for maker in makers)
    assert said == ["made", *["there True"] * 5]
    assert [path.name for path in tmp_path.iterdir()] == ["turtles.catalog"]


@pytest.mark.skipif(os.name == "nt", reason="this system sends no signals")
def test_an_interrupted_question_is_an_interrupt(catalog: Catalog) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have tests in the background ignore it
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), catalog.reading() as session:
            session.number("SELECT max(hash(range)) FROM range(1500000000)")
    finally:
        signal.signal(signal.SIGINT, before)
    assert Browser(catalog).history()


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights of this system are others")
def test_a_catalogue_that_may_only_be_read_says_so_and_is_checked(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A")], "Ana")
    with readable_only(catalog.path):
        shared = Catalog.open(catalog.path)
        with pytest.raises(CatalogReadOnly, match="may be read but not written"), shared.writing("test"):
            pass
        assert check_catalog(shared).problems == ()
        assert len(shared.photos(GalleryFilter())) == 1


def test_a_folder_that_is_half_fetched_is_called_that(catalog: Catalog) -> None:
    (catalog.path / "registry (conflicted copy).duckdb").touch()
    assert any("second registry.duckdb" in sentence for sentence in catalog.summary().health)
    (catalog.path / "registry.duckdb").rename(catalog.path / ".registry.duckdb.icloud")
    with pytest.raises(CatalogDamaged, match="let it fetch the whole folder"):
        Catalog.open(catalog.path)
