"""`turtleidx evaluate` on drawn turtles: on a manifest, on the catalogue itself, and split by time."""

from __future__ import annotations

import base64
import csv
import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from retrieval.cli.app import main
from retrieval.evaluation.protocol import from_rows, leave_one_out, since
from synthetic.samples import COLUMNS, Sample, SampleSet
from tests.retrieval.drawn import copied
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole

QUICK = ("--matcher", "nearest")
METHODS = ["wasserstein", "wasserstein_distance", "match_count", "confidence_sum", "nearest, unverified"]
KNOWN_PHOTOS, NEW_PHOTOS = 6, 6
RATES = ("--false-known", "0.1", "--misidentified", "0.1", "--false-new", "0.1")


@dataclass(frozen=True)
class Bay:
    """Turtles of two days and strangers: too few for a model, except where the test is slow."""

    samples: SampleSet
    manifest: Path
    catalog: Path


@pytest.fixture(scope="module")
def bay(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Bay:
    """Nine turtles, two photos of the first day and one of the second, and two strangers."""
    return bay_of(samples, tmp_path_factory.mktemp("bay"), 9)


def bay_of(samples: SampleSet, folder: Path, turtles: int) -> Bay:
    names = {f"T{number:03d}" for number in range(1, turtles + 1)} | {one.turtle for one in samples.with_role("new")}
    own = copied(samples, folder / "photos", names)
    manifest = own.folder / "evaluated.csv"
    write_manifest(manifest, [(one, role_of(one)) for one in own.samples])
    return Bay(own, manifest, folder / "turtles.catalog")


def role_of(sample: Sample) -> str:
    if sample.role == "new":
        return "new"
    return "known" if sample.photo.endswith("-2.jpg") and sample.turtle <= "T006" else "gallery"


def write_manifest(path: Path, rows: Sequence[tuple[Sample, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows([one.photo, one.turtle, one.side, one.taken_on, one.encounter, role] for one, role in rows)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell where there is no catalogue yet."""
    return Shell(tmp_path / "turtles.catalog", capsys, monkeypatch)


@pytest.fixture
def looking(kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on the kept catalogue, for what does not change it."""
    return Shell(kept, capsys, monkeypatch)


@pytest.fixture(scope="module")
def kept(bay: Bay) -> Path:
    """The catalogue that an evaluation of the manifest kept."""
    arguments = ["evaluate", "--manifest", bay.manifest, "--keep", bay.catalog, "--no-compare", "--json", *QUICK]
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    assert not ended.value.code
    return bay.catalog


@pytest.mark.slow
def test_a_fitted_gallery_judges_and_every_score_is_fitted(shell: Shell, samples: SampleSet) -> None:
    bay = bay_of(samples, shell.catalog.parent, 22)
    keep = ("--keep", bay.catalog, *RATES, *QUICK, "--json")
    first = shell("evaluate", "--manifest", bay.manifest, *keep)
    assert first.code == 0, first.err
    assert [one["name"] for one in first.records[0]["methods"]] == METHODS
    for method in first.records[0]["methods"]:
        assert method["baks"] > 0.5
        assert method["auroc"] >= 0.8
        assert method["calibration_error"] < 0.3
        assert method["novelty_accuracy"] > 0.7
        assert method["false_known"]["promised"] == 0.1
    [again] = shell("evaluate", "--manifest", bay.manifest, *keep).records
    for method, before in zip(again["methods"], first.records[0]["methods"], strict=True):
        assert method.pop("seconds_a_query") < before.pop("seconds_a_query")  # nothing is compared again
        assert method == before
    hardly_new = shell("evaluate", "--manifest", bay.manifest, "--no-compare", *keep, "--prior-new", "0.001")
    [method] = hardly_new.records[0]["methods"]
    assert {one["verdict"]: one["known"] + one["new"] for one in method["verdicts"]}["NEW"] == 0


def test_a_catalogue_without_a_model_ranks_and_the_page_needs_nothing_else(
    bay: Bay, looking: Shell, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    common = ("evaluate", "--manifest", queries_of(bay), *QUICK, *RATES)
    ran = looking(*common, "--json", "--report", page)
    assert ran.code == 0, ran.err
    methods = ran.records[0]["methods"]
    assert [one["name"] for one in methods] == METHODS
    catalog = Catalog.open(bay.catalog)
    assert {one["bytes_a_photo"] for one in methods} == {
        round(catalog.feature_store.bytes_a_photo()[catalog.recipe.extractor])
    }
    assert 0.1 < ran.records[0]["peak_memory_gib"] < 20
    assert ran.records[0]["prior_new"] == pytest.approx(NEW_PHOTOS / (KNOWN_PHOTOS + NEW_PHOTOS))
    assert {one["name"] for one in ran.records[0]["groups"]} >= {"side: left", "quality: lowest third"}
    for one in ran.records[0]["groups"]:
        assert (one["baks"], one["undecided"]) == (None, None)
    for one in methods:
        assert (one["known"], one["new"]) == (KNOWN_PHOTOS, NEW_PHOTOS)
        if one["name"] != "nearest, unverified":
            assert one["top1"] >= 0.8
            assert one["auroc"] >= 0.8
        assert (one["baks"], one["undecided"], one["false_new"]["rate"]) == (None, None, None)
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 5
    assert not re.search(r"(src|href)='(?!data:)", text)


def test_an_outranked_turtle_is_shown_with_its_matches(bay: Bay, looking: Shell, tmp_path: Path) -> None:
    samples = {one.photo: one for one in bay.samples.samples}
    mistaken = bay.samples.folder / "mistaken.csv"
    write_manifest(mistaken, [(replace(samples["T001/left-2.jpg"], turtle="T002", encounter="x"), "known")])
    page = tmp_path / "page.html"
    ran = looking("evaluate", "--manifest", mistaken, *QUICK, "--report", page, "--json", "--no-compare")
    assert ran.code == 0, ran.err
    text = page.read_text(encoding="utf-8")
    [error] = re.findall(r"<figure class='error'>.*?</figure>", text)
    assert "outranked" in error
    assert "first candidate T001" in error
    [data] = re.findall(r"src='data:image/jpeg;base64,([^']*)'", error)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.height > 700  # a row for the first candidate and one for the true turtle


def queries_of(bay: Bay) -> Path:
    """The manifest without its gallery rows, so that the catalogue is the gallery."""
    path = bay.samples.folder / "queries.csv"
    write_manifest(path, [(one, role_of(one)) for one in bay.samples.samples if role_of(one) != "gallery"])
    return path


def test_the_table_without_a_model_has_no_columns_of_verdicts(bay: Bay, looking: Shell) -> None:
    common = ("evaluate", "--manifest", queries_of(bay), "--no-compare", *QUICK)
    ran = looking(*common, "--prior-new", "0.25")
    assert ran.code == 0, ran.err
    for words in ("top-1", "top-3", "top-5", "mAP", "AUROC", "seconds a query", "kB a photo", "25.0%"):
        assert words in ran.out
    assert "ranked but not judged" in ran.out.splitlines()[1]
    assert not any(words in ran.out for words in ("known by name", "undecided", "promised", "NEW was said"))
    assert max(map(len, ran.out.splitlines()[2:])) <= 110
    assert "match_count" not in ran.out
    assert "…" not in ran.out


def test_the_catalogue_itself_is_evaluated_with_encounter_or_turtle_hidden(
    looking: Shell,
) -> None:
    ran = looking("evaluate", "--json", "--most", "20", *QUICK)
    assert ran.code == 0, ran.err
    ours = ran.records[0]["methods"][0]
    assert ours["known"] + ours["new"] == 20
    assert ours["auroc"] >= 0.8
    protocol = leave_one_out(Catalog.open(looking.catalog))
    assert len(protocol.queries) == 2 * (9 * 3 - KNOWN_PHOTOS)
    assert sum(query.catalogued for query in protocol.queries) == len(protocol.queries) // 2
    for query in protocol.queries:
        assert query.enrolled is not None
        hidden = query.enrolled.encounter if query.catalogued else query.turtle
        assert hidden == (query.where.without_encounter if query.catalogued else query.where.without_turtle)


def test_a_split_by_time_searches_older_photos_only(bay: Bay, kept: Path) -> None:
    catalog = Catalog.open(kept)
    [first] = {one.taken_on for one in bay.samples.samples if one.photo == "T005/left-3.jpg"}
    protocol = since(catalog, first)
    asked = {query.turtle for query in protocol.queries}
    assert asked == {f"T{number:03d}" for number in range(5, 10)}
    assert all(query.catalogued for query in protocol.queries)
    for query in protocol.queries:
        assert query.where.taken_to is not None
        assert query.where.taken_to < first
    early = since(catalog, min(one.taken_on for one in bay.samples.samples if one.turtle == "T002"))
    assert {query.catalogued for query in early.queries if query.turtle == "T003"} == {False}
    assert {query.turtles for query in early.queries} == {1}


def test_rows_that_contradict_the_gallery_are_left_out_with_a_reason(bay: Bay, kept: Path) -> None:
    samples = {one.photo: one for one in bay.samples.samples}
    path = bay.samples.folder / "odd.csv"
    rows = [(samples["T001/left-2.jpg"], "new"), (samples["T023/left-1.jpg"], "known")]
    write_manifest(path, [*rows, (samples["T002/left-2.jpg"], "known")])
    path.write_text(path.read_text().replace("T002/left-2.jpg,T002,left", "T002/left-2.jpg,T002,right"))
    protocol = from_rows(Catalog.open(kept), path)
    assert not protocol.queries
    reasons = [refusal.reason for refusal in protocol.left_out]
    assert "is called new, but the gallery holds turtle T001" in reasons[0]
    assert "is called known, but the gallery lacks turtle T023" in reasons[1]
    assert "by no other encounter of the same side" in reasons[2]


def test_a_query_never_sees_photos_of_its_own_encounter(bay: Bay, kept: Path) -> None:
    catalog = Catalog.open(kept)
    days = {encounter.id: encounter.name for encounter in Browser(catalog).encounters()}
    queries = from_rows(catalog, queries_of(bay)).queries
    known = [query for query in queries if query.catalogued]
    assert known
    for query in known:
        assert query.where.without_encounter is not None
        assert days[query.where.without_encounter] == query.sighting.encounter


def test_a_kept_catalogue_of_another_gallery_is_not_used(bay: Bay, kept: Path, shell: Shell, tmp_path: Path) -> None:
    own = Path(shutil.copytree(kept, tmp_path / "own.catalog"))
    smaller = bay.samples.folder / "smaller.csv"
    write_manifest(smaller, [(one, role_of(one)) for one in bay.samples.samples if one.turtle > "T003"])
    ran = shell("evaluate", "--manifest", smaller, "--keep", own, *QUICK)
    assert ran.code == 1
    assert "choose another folder" in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--since", "June"], 2, "YYYY-MM-DD"),
        (["--since", "1990-01-01"], 1, "was taken before 1990-01-01"),
        (["--keep", "folder"], 2, "gallery rows"),
        (["--manifest", "nothing.csv"], 1, "There is no manifest"),
        (["--report", "no/such/folder/page.html"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_evaluated_says_so(looking: Shell, arguments: list[str], code: int, sentence: str) -> None:
    ran = looking("evaluate", *arguments, *QUICK)
    assert ran.code == code
    assert sentence in " ".join(ran.err.split())


def test_the_command_line_loads_neither_torch_nor_matplotlib() -> None:
    import subprocess
    import sys

    program = "import sys, retrieval.cli; sys.exit(bool({'torch', 'matplotlib', 'scipy.stats'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
