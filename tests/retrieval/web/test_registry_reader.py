"""What the registry answered is kept until it changes, and not a moment longer."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from index.catalog import Browser, Catalog
from index.curation import Curator
from index.errors import UnknownRecord
from retrieval.web.registry_reader import REMEMBERED, RegistryCache, RegistryReader
from tests.index.making import RECIPE, photo


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    made.enroll([photo(1, "T001")], "Ana")
    return made


def test_the_registry_is_asked_once_until_it_changes(catalog: Catalog) -> None:
    cache, asked = RegistryCache(catalog), []

    def turtles() -> list[str]:
        asked.append(1)
        return [one.id for one in Browser(catalog).turtles()]

    assert cache.get("turtles", turtles) == cache.get("turtles", turtles) == ["T001"]
    assert len(asked) == 1
    other = Catalog.open(catalog.path)  # as another process would
    Curator(other, "Ben").create_turtle("T009")
    assert cache.get("turtles", turtles) == ["T001", "T009"]
    assert len(asked) == 2


def test_what_was_asked_while_somebody_wrote_is_not_kept(catalog: Catalog) -> None:
    cache = RegistryCache(catalog)

    def overtaken() -> int:
        before = len(Browser(catalog).turtles())
        Curator(catalog, "Ben").create_turtle("T009")
        return before

    assert cache.get("count", overtaken) == 1
    assert cache.get("count", lambda: len(Browser(catalog).turtles())) == 2


def test_refusals_are_not_kept_and_few_answers_are(catalog: Catalog) -> None:
    cache = RegistryCache(catalog)

    def refused() -> int:
        raise UnknownRecord("nobody")

    with pytest.raises(UnknownRecord):
        cache.get("one", refused)
    assert cache.get("one", lambda: 1) == 1
    for number in range(REMEMBERED + 1):
        cache.get(number, lambda number=number: number)  # type: ignore[misc]
    assert cache.get("one", lambda: 2) == 2
    assert cache.get(REMEMBERED, lambda: -1) == REMEMBERED


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_id_is_found_by_its_letters_however_they_were_typed(catalog: Catalog, form: Literal["NFC", "NFD"]) -> None:
    Curator(catalog, "Ana").create_turtle("José")
    reader = RegistryReader(catalog)
    assert reader.ids_like(unicodedata.normalize(form, "SÉ")) == ["José"]
    assert reader.ids_like("t00") == ["T001"]
