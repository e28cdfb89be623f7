"""Bad input on the command line: each costs one sentence with the way out, and nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

NEAREST = ("--matcher", "nearest")


def photo(samples: SampleSet, turtle: str, number: int) -> Path:
    return samples.folder / turtle / f"left-{number}.jpg"


def bad_photos(folder: Path, good: Path) -> dict[str, Path]:
    data = good.read_bytes()
    files = {"empty": b"", "truncated": data[: len(data) // 2], "text": b"not a photo"}
    for name, content in files.items():
        (folder / f"{name}.jpg").write_bytes(content)
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(folder / "flat.jpg")
    return {name: folder / f"{name}.jpg" for name in ("empty", "truncated", "text", "flat", "missing")}


def test_bad_photos_cost_one_sentence_each_and_the_rest_is_enrolled(
    shell: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    good = photo(samples, "T001", 1)
    bad = bad_photos(tmp_path, good)
    done = shell("enroll", *bad.values(), good, "--turtle", "Nina")
    assert done.code == 3
    assert "1 enrolled, 0 already there, 5 refused" in done.out
    for path in bad.values():
        [line] = [line for line in done.err.splitlines() if str(path) in line]
        assert line.endswith(".")
    only_bad = shell("enroll", bad["text"])
    assert only_bad.code == 1


def test_bad_photos_in_a_query_have_verdicts_of_their_own(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    bad = bad_photos(tmp_path, photo(samples, "T001", 1))
    answered = own("query", *bad.values(), photo(samples, "T001", 2), "--json", *NEAREST)
    verdicts = [record["verdict"] for record in answered.records]
    assert verdicts[:5] == ["REFUSED", "REFUSED", "REFUSED", "NOT_COMPARABLE", "REFUSED"]
    assert answered.code == 3
    assert own("query", bad["text"], *NEAREST).code == 1


def test_a_name_that_is_no_text_costs_one_photo(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    folder = tmp_path / "mix"
    folder.mkdir()
    odd = folder / os.fsdecode(b"zz\xe9.jpg")
    shutil.copy(photo(samples, "T023", 1), odd)
    shutil.copy(photo(samples, "T023", 2), folder / "yy.jpg")
    asked = own("query", folder, "--json", *NEAREST)
    assert [record["photo"] for record in asked.records] == [
        str(folder / "yy.jpg"),
        str(folder / "zz\N{REPLACEMENT CHARACTER}.jpg"),
    ]
    assert (asked.code, asked.records[1]["verdict"]) == (3, "REFUSED")
    done = own("enroll", folder, "--no-fit")
    assert (done.code, "1 enrolled, 0 already there, 1 refused" in done.out) == (3, True)
    assert "zz\N{REPLACEMENT CHARACTER}.jpg has a name" in done.err


def test_one_row_or_folder_with_a_bad_id_does_not_cost_the_others(
    own: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    photos = [photo(samples, "T023", 1), photo(samples, "T023", 2), photo(samples, "T024", 1)]
    manifest = tmp_path / "m.csv"
    manifest.write_text(
        "photo,turtle\n" + "".join(f"{path},{'x' * n}\n" for path, n in zip(photos, (3, 121, 3), strict=True))
    )
    done = own("enroll", "--manifest", manifest, "--no-fit")
    assert (done.code, "2 enrolled, 0 already there, 1 refused" in done.out) == (3, True)
    assert "line 3: 'xxx" in done.err
    for name, number in ((" lead", 2), ("Olga", 3)):
        (tmp_path / "beach" / name).mkdir(parents=True)
        shutil.copy(photo(samples, "T024", number), tmp_path / "beach" / name)
    done = own("enroll", tmp_path / "beach", "--no-fit")
    assert done.code == 3
    assert "' lead' cannot be a turtle's id" in done.err
    assert "Olga" in own.turtles()
    assert own("enroll", photos[1], "--turtle", "x" * 121).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["info"], 1, "There is no catalogue at"),
        (["query", "a.jpg"], 1, "There is no catalogue at"),
        (["query"], 1, "There is no photo to look up"),
        (["enroll"], 2, "name photos and folders"),
        (["enroll", "--manifest", "nothing.csv"], 1, "There is no manifest"),
        (["enroll", "a.jpg", "--taken-on", "July"], 2, "YYYY-MM-DD"),
        (["enroll", "a.jpg", "--taken-on", "2020-01-0599"], 2, "YYYY-MM-DD"),
        (["init", "--extractor", "surf"], 1, "There is no extractor"),
        (["init", "--encoder", "magic"], 1, "There is no encoder"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_what_cannot_be_done_says_so(shell: Shell, arguments: list[str], code: int, sentence: str) -> None:
    done = shell(*arguments)
    assert done.code == code
    assert sentence in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_wishes_about_weights_and_devices_that_cannot_be_met(own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    path = photo(samples, "T001", 2)
    unknown = own("query", path, "--matcher", str(tmp_path / "none.safetensors"))
    assert (unknown.code, "none.safetensors" in unknown.err) == (1, True)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert own("query", path, "--matcher", str(tmp_path / "bad.safetensors")).code == 1
    assert own("turtles", "show", "T999").code == 1


def test_another_extractor_than_the_catalogues_is_refused_with_the_way_out(own: Shell, samples: SampleSet) -> None:
    path = photo(samples, "T001", 2)
    other = own("enroll", path, "--extractor", "disk")
    assert (other.code, "turtleidx reindex" in other.err, "disk-512-480" in other.err) == (1, True, True)
    assert own("enroll", path, "--extractor", "sift", "--no-fit").code == 0


def test_the_licences_of_published_weights_are_said(shell: Shell) -> None:
    made = shell("init", "--extractor", "superpoint")
    assert (made.code, "non-commercial" in made.err) == (0, True)
    assert {"extractor", "encoder", "head finder", "matcher", "segmenter"} == {
        row["kind"] for row in shell("weights", "--json").records
    }


def test_a_catalogue_where_nothing_can_be_written_is_one_sentence(shell: Shell, samples: SampleSet) -> None:
    Path("file").touch()
    done = shell("--catalog", "file/turtles.catalog", "enroll", photo(samples, "T001", 1))
    assert (done.code, "cannot be used" in done.err) == (1, True)
