from pathlib import Path

import numpy as np
import pytest
import torch
from kornia import feature

from index.errors import RecipeMismatch, WeightsCorrupt, WeightsUnavailable
from index.types import Recipe
from index.visual_words.signature import unpacked
from retrieval.engine.engine import Engine
from retrieval.engine.factory import EXTRACTORS, load_extractor
from retrieval.engine.options import LACKING, EngineOptions, chosen_matcher, default_matcher
from retrieval.engine.published_weights import licences
from retrieval.features.learned import LearnedExtractor
from retrieval.features.sift import SiftExtractor
from retrieval.weight_files import SECOND_EXPERT
from synthetic.heads import draw_head

HEAD = draw_head(1, 0, size=(160, 128))


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_has_a_name_an_id_and_a_matcher(name: str) -> None:
    extractor = load_extractor(name)
    assert load_extractor(extractor.id).id == extractor.id
    assert load_extractor(f"{name}-128-240").id == f"{name}-128-240" + ("-v3" if name == "sift" else "-v2")
    assert default_matcher(extractor.id) == ("nearest+views" if name == "sift" else name)


def test_an_extractor_that_nobody_knows_is_refused_with_the_names() -> None:
    for name in ("surf", "surf-512-320", "sift-512", ""):
        with pytest.raises(RecipeMismatch, match="superpoint"):
            load_extractor(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sift-500-320", "multiples of 64, and 500 is none.*sift-512-320"),
        ("aliked-32-480", "multiples of 64, and 32 is none"),
        ("sift-512-0", "at least 64 pixels"),
        ("aliked-512-480-v1", r"does not compute aliked-512-480-v1 but aliked-512-480-v2.*turtleidx reindex"),
        ("sift-512-320-v1", r"does not compute sift-512-320-v1 but sift-512-320-v3.*turtleidx reindex"),
    ],
)
def test_numbers_that_cannot_be_are_told_from_names_that_nobody_knows(name: str, said: str) -> None:
    with pytest.raises(RecipeMismatch, match=said):
        load_extractor(name)


def test_an_older_version_of_an_extractor_becomes_the_present_one() -> None:
    for made_with in ("sift-128-240", "sift-128-240-v1"):
        [bare, named] = (
            Engine.load(Recipe(made_with, "vlad-1", 512), EngineOptions(extractor=name, matcher="nearest"))
            for name in (None, "sift")
        )
        assert bare.extractor.id == named.extractor.id == "sift-128-240-v3"
    beside = Engine.load(Recipe("disk-512-480", "vlad-1+sift", 512), EngineOptions(matcher="nearest"))
    assert beside.encoder.id == "vlad-1+sift-v3"


def test_a_bare_name_means_the_catalogues_own_extractor() -> None:
    small = Recipe("sift-128-240-v3", "vlad-1", 512)
    assert Engine.load(small, EngineOptions(matcher="nearest")).extractor.id == small.extractor
    assert Engine.load(small, EngineOptions(extractor="sift", matcher="nearest")).extractor.id == small.extractor
    assert (
        Engine.load(small, EngineOptions(extractor="sift-256-320", matcher="nearest")).extractor.id == "sift-256-320-v3"
    )
    assert isinstance(
        Engine.load(small, EngineOptions(extractor="disk", matcher="nearest")).extractor, LearnedExtractor
    )


def test_an_extractors_own_matcher_that_is_not_here_names_the_one_that_needs_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path / "file" / "below"))  # nothing can be put there
    with pytest.raises(WeightsUnavailable, match="--matcher nearest"):
        Engine.load(options=EngineOptions(extractor="disk"))
    with pytest.raises(WeightsUnavailable, match=r"disk_lightglue\.pth"):
        Engine.load(options=EngineOptions(extractor="disk", matcher="disk"))


def test_the_bundled_encoder_finds_its_own_sift_beside_a_learned_extractor(tmp_path: Path) -> None:
    torch.save(feature.HardNet(pretrained=False).state_dict(), tmp_path / "hardnet.pth")
    choices = EngineOptions(
        extractor="doghardnet-64-160", matcher="nearest", extractor_weights=tmp_path / "hardnet.pth"
    )
    learned, plain = (
        Engine.load(options=choices),
        Engine.load(options=EngineOptions(extractor="sift-512-160", matcher="nearest")),
    )
    assert learned.encoder.id == plain.encoder.id + "+sift-v3"
    of_sift = SiftExtractor(512, 160).find(HEAD)
    [vector] = learned.encoder.encode([HEAD], [learned.extractor.extract(HEAD)])
    assert np.allclose(vector, plain.encoder.encode([HEAD], [of_sift])[0], atol=1e-6)
    again = Engine.load(learned.recipe, choices)
    assert again.recipe == learned.recipe
    grey = np.full((64, 64, 3), 90, np.uint8)  # without one SIFT keypoint
    assert not len(unpacked(learned.encoder.encode([grey], []))[1])


def test_licences_are_said_where_others_published_the_weights() -> None:
    assert licences(Recipe("sift-512-320", "vlad-1", 512)) == []
    said = licences(Recipe("superpoint-512-480", "timm:megadescriptor#published", 768))
    assert "non-commercial" in said[0]
    assert "CC-BY-NC" in said[1]


def test_a_catalogue_of_the_encoder_before_is_opened_with_its_successor() -> None:
    extractor = load_extractor("sift-64-320").id
    assert Engine.load(Recipe(extractor, "asmk-1", 4608, True), EngineOptions()).encoder.id == "words-1"


def test_the_second_expert_is_the_default_where_both_of_its_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path))
    sift = SiftExtractor().id
    for file in SECOND_EXPERT:
        assert chosen_matcher(EngineOptions(), sift) == ("nearest+views", LACKING)
        (tmp_path / file).touch()
    assert chosen_matcher(EngineOptions(), sift) == ("aliked+views", None)
    assert chosen_matcher(EngineOptions(matcher="turtle-sift+views"), sift) == ("turtle-sift+views", None)
    assert chosen_matcher(EngineOptions(), "disk-512-480-v2") == ("disk", None)


def test_weights_that_are_no_weights_are_refused_by_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path))
    for file in SECOND_EXPERT:
        (tmp_path / file).write_bytes(b"something else")
    with pytest.raises(WeightsCorrupt, match="checksum"):
        Engine.load(None, EngineOptions())


def test_views_are_for_sift_alone() -> None:
    with pytest.raises(RecipeMismatch, match="disk-512-480"):
        Engine.load(None, EngineOptions(extractor="disk", matcher="turtle-sift+views"))


def test_every_recipe_has_evidence_of_its_own() -> None:
    engines = [
        Engine.load(None, EngineOptions(matcher=name))
        for name in ("nearest", "nearest+views", "turtle-sift+nearest", "turtle-sift+views")
    ]
    assert len({one.evidence for one in engines}) == 4
    assert len({one.comparison for one in engines}) == 4
    assert [one.directed for one in engines] == [False, True, False, True]
    assert engines[1].looking == engines[3].looking != engines[0].looking == engines[2].looking
