"""Weights by name, by download and from local files; downloads come from file URLs."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from index.errors import WeightsCorrupt, WeightsUnavailable
from retrieval.matching.lightglue.checkpoints import load_network, read_network, save_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import PUBLISHED, PublishedWeights, list_weights
from retrieval.weight_files import cache
from retrieval.weights import fetch

CONFIG = LightGlueConfig(8, 16, 2, 2, add_scale_ori=True, depth_confidence=0.9)


@pytest.fixture
def network() -> LightGlue:
    torch.manual_seed(0)
    return LightGlue(CONFIG)


def published(source: Path, checksum: str = "") -> PublishedWeights:
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest() if source.exists() else ""
    return PublishedWeights("toy", "toy.pth", source.as_uri(), "none", checksum or f"sha256:{sha256}", CONFIG)


def test_own_checkpoints_come_back_with_name_version_and_configuration(tmp_path: Path, network: LightGlue) -> None:
    path = tmp_path / "deep" / "own.safetensors"
    save_network(path, network, "turtle", "3", torch.float32)
    trained = read_network(path)
    assert trained.id == f"turtle-3-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    assert trained.network.config == CONFIG
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), trained.network.parameters(), strict=True))


def test_half_precision_files_are_computed_with_in_single_precision(tmp_path: Path, network: LightGlue) -> None:
    save_network(tmp_path / "half.safetensors", network, "turtle", "1")
    loaded = read_network(tmp_path / "half.safetensors").network
    for ours, theirs in zip(network.parameters(), loaded.parameters(), strict=True):
        assert theirs.dtype == torch.float32
        assert torch.equal(ours.half().float(), theirs)


def test_a_state_dict_file_loads_and_its_bytes_make_the_id(tmp_path: Path, network: LightGlue) -> None:
    path = tmp_path / "mine.pth"
    torch.save(network.state_dict(), path)
    trained = load_network(str(path))
    assert trained.id.startswith("mine-")
    assert trained.network.config.descriptor_dim == 16


def test_downloads_are_verified_and_kept(tmp_path: Path, network: LightGlue) -> None:
    source = tmp_path / "source.pth"
    torch.save(network.state_dict(), source)
    kept = fetch(published(source), tmp_path / "cache")
    source.unlink()
    again = fetch(replace(published(kept), url=source.as_uri()), tmp_path / "cache")
    assert again == kept
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["toy.pth"]


def test_a_git_blob_id_is_a_checksum(tmp_path: Path) -> None:
    source = tmp_path / "hello.pth"
    source.write_bytes(b"hello\n")
    blob = "git:ce013625030ba8dba906f756967f9e9ca394464a"  # what `git hash-object` says
    assert fetch(published(source, blob), tmp_path / "cache").read_bytes() == b"hello\n"


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "source.pth"
    source.write_bytes(b"something else")
    with pytest.raises(WeightsCorrupt, match="checksum"):
        fetch(published(source, "sha256:" + "0" * 64), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_file_that_was_put_there_by_hand_is_verified_too(tmp_path: Path) -> None:
    source = tmp_path / "toy.pth"
    source.write_bytes(b"wrong")
    with pytest.raises(WeightsCorrupt, match=r"toy\.pth"):
        fetch(published(source, "sha256:" + "0" * 64), tmp_path)


def test_without_a_network_the_message_says_where_to_put_the_file(tmp_path: Path) -> None:
    entry = published(tmp_path / "nowhere.pth")
    with pytest.raises(WeightsUnavailable) as refusal:
        fetch(entry, tmp_path / "cache")
    assert str(tmp_path / "cache" / "toy.pth") in str(refusal.value)
    assert entry.url in str(refusal.value)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(WeightsUnavailable, match="superpoint"):
        load_network("superglue")


class _Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("run",))


@pytest.mark.parametrize("content", ["code", "text", "list", "truncated"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_are_no_weights_are_refused(
    tmp_path: Path, content: str, suffix: str, network: LightGlue, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"bad{suffix}"
    if content == "code":
        path.write_bytes(pickle.dumps(_Payload(), protocol=2))
    elif content == "text":
        path.write_text("weights")
    elif content == "list":
        torch.save([1, 2], path)
    else:
        torch.save(network.state_dict(), path)
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsCorrupt, match="bad"):
        read_network(path)
    assert not capsys.readouterr().out


def test_every_published_network_is_listed_with_its_licence() -> None:
    rows = {row.name: row for row in list_weights()}
    assert {entry.name for entry in PUBLISHED} <= rows.keys()
    assert all(row.licence and row.source for row in rows.values())


def test_the_cache_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURTLEIDX_WEIGHTS", str(tmp_path))
    assert cache() == tmp_path
    monkeypatch.delenv("TURTLEIDX_WEIGHTS")
    assert cache().parts[-2:] == ("turtleidx", "weights")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="accounts of this system have no numbers")
def test_an_account_that_the_system_does_not_know_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TURTLEIDX_WEIGHTS", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert cache().parts[-2:] == ("turtleidx", "weights")
