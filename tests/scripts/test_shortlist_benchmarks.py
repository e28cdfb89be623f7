"""The shortlist benchmarks measure what they say: shares of a gallery, and crowds that resemble their photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.indexing.shortlist import SHARES, measure, read, table
from benchmarks.indexing.visual_words import BLOCK, CHANGED, crowd
from index.visual_words.inverted_file import VotePart
from index.visual_words.signature import SLOT_BYTES, packed, unpacked
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from synthetic.heads import draw_head


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four turtles: a photo each in the gallery, and one of them upside down as a known one."""
    folder = tmp_path_factory.mktemp("heads")
    rows = ["photo,turtle,side,role"]
    for number in range(4):
        head = Image.fromarray(draw_head(number, 0, size=(200, 160)))
        head.save(folder / f"{number}.png")
        rows.append(f"{number}.png,T{number},left,gallery")
    head.rotate(180).save(folder / "turned.png")
    rows += ["turned.png,T3,left,known", "turned.png,T3,right,known"]  # nobody is known from the right
    (folder / "photos.csv").write_text("\n".join(rows))
    return folder / "photos.csv"


@pytest.mark.parametrize("encoder", ["vlad", "words"])
def test_a_turned_photo_is_the_first_of_its_side(manifest: Path, encoder: str) -> None:
    engine = Engine.load(options=EngineOptions(extractor="sift-128-200", encoder=encoder, matcher="nearest"))
    gallery, known = (read(manifest, role, engine) for role in ("gallery", "known"))
    found = measure(engine.encoder, gallery, known)
    assert (found.recall, found.top1) == ((1.0,) * len(SHARES), 1.0)
    assert found.size == engine.encoder.encode([], [gallery.photos[0].features])[0].nbytes
    assert table([found], gallery, known).row_count == 1
    assert measure(engine.encoder, gallery, known, 1_000_000).top1 == 1
    wrong = replace(known, rows=[replace(row, sighting=replace(row.sighting, turtle="T1")) for row in known.rows])
    assert measure(engine.encoder, gallery, wrong).top1 == 0


def test_a_crowd_has_the_words_and_codes_of_its_photos_with_parts_of_others() -> None:
    rng = np.random.default_rng(0)
    own = np.stack([packed(rng.integers(0, 255, (6, SLOT_BYTES), dtype=np.uint8), 8) for _ in range(5)])
    blocks = list(crowd(own, BLOCK + 10, seed=1))
    assert [len(block) for block in blocks] == [BLOCK, 10]
    _, coded = unpacked(own)
    rows, grown = unpacked(blocks[1])
    assert np.bincount(rows).tolist() == [8] * 10
    assert all(set(grown[:, part]) <= set(coded[:, part]) for part in range(SLOT_BYTES))
    changed = [(one != coded).mean(axis=1).min() for one in grown]
    assert np.mean(changed) == pytest.approx(CHANGED, rel=0.3)
    assert len(VotePart.of(np.arange(10), blocks[1])) == 10
