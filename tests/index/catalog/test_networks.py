"""Networks in a catalogue's folder have names that backups know, whatever the file was called that they began with."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.catalog.networks import keep_network, kept_networks


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("matcher-turtle-sift", "matcher-turtle-sift-"),
        ("matcher-Our Bay_2 (best)", "matcher-our-bay-2-best-"),
        ("matcher-" + "long" * 40, "matcher-long"),
        ("matcher-черепаха", "matcher-"),
    ],
)
def test_a_kept_network_is_found_again_with_its_card(tmp_path: Path, name: str, begins: str) -> None:
    path = keep_network(tmp_path, name, b"weights", "a card")
    assert path.name.startswith(begins)
    assert list(kept_networks(tmp_path)) == sorted([f"models/{path.stem}.md", f"models/{path.name}"])
