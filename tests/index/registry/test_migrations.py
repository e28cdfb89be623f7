"""Files of every earlier schema open, lose nothing, and are set aside before they change."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.errors import CatalogReadOnly, CatalogTooNew, StorageFull
from index.exchange.catalog_join import join
from index.registry.database import Registry, Transaction
from index.registry.placement import Placement
from index.registry.schema import MIGRATIONS
from index.registry.session import Session
from tests.index.making import day, photo, readable_only


def registry_of(version: int, path: Path, recipe: str) -> None:
    """A registry file as that version of the schema left it, with a turtle in it."""
    path.unlink(missing_ok=True)
    registry = Registry(path, migrations=MIGRATIONS[:version])
    registry.migrate()
    with registry.transaction("create", "Ana", "init") as transaction:
        transaction.journal.put("settings", [{"name": "recipe", "value": recipe}])
        placing = Placement(transaction, [])
        placing.turtle("Old friend")
        placing.write()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_an_earlier_schema_is_brought_up_to_date(catalog: Catalog, version: int) -> None:
    recipe = catalog.setting("recipe")
    assert recipe is not None
    registry_of(version, catalog.path / "registry.duckdb", recipe)
    (catalog.path / "vectors.faiss").unlink(missing_ok=True)
    opened = Catalog.open(catalog.path)
    assert opened.registry.version() == len(MIGRATIONS)
    assert [turtle.id for turtle in Browser(opened).turtles()] == ["Old friend"]
    opened.enroll([photo(1, "Old friend")], "Ana")
    assert Decisions(opened).keep("ab" * 32, "a.jpg", "NEW", "{}", "Ana").id == 1
    backups = list((catalog.path / "backups").glob("*.duckdb")) if version < len(MIGRATIONS) else []
    assert [Registry(path, migrations=MIGRATIONS[:version]).version() for path in backups] == [version] * len(backups)
    assert len(backups) == (version < len(MIGRATIONS))


def accents_apart(catalog: Catalog, *turtles: int) -> Catalog:
    """The catalogue as the version before left it, with accents behind their letters; some turtles' or everyone's."""
    apart = "replace({}, 'é', 'e\u0301')"
    some = f"key IN (SELECT unnest({list(turtles)}::BIGINT[]))" if turtles else "true"
    with catalog.writing("test"), catalog.transaction("test", "Ana", "test") as transaction:
        transaction.run(f"UPDATE turtles SET id = {apart.format('id')} WHERE {some}")
        if not turtles:
            transaction.run(f"UPDATE encounters SET name = {apart.format('name')}")
            for side in ("before", "after"):
                transaction.run(f"UPDATE journal SET {side} = {apart.format(f'CAST({side} AS VARCHAR)')}::JSON")
        transaction.run("DELETE FROM migrations WHERE version = ?", len(MIGRATIONS))
    return Catalog.open(catalog.path)


def test_names_of_before_are_kept_in_one_form_and_so_is_their_past(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "José", taken_on=day(1), encounter="Séance"), photo(2, encounter="Séance")], "Ana")
    ana = Curator(catalog, "Ana")
    ana.note_turtle("José", "one flipper")
    ana.tag_turtle("José", ["nesting"])
    ana.rename_turtle("José", "André")
    ana.rename_turtle("André", "Zoé")
    before = Browser(catalog).turtles(), Browser(catalog).encounters()
    opened = accents_apart(catalog)
    assert (Browser(opened).turtles(), Browser(opened).encounters()) == before
    assert [one.turtle for one in Browser(opened).photos()] == ["Zoé", None]
    assert Browser(opened).former("José") == "Zoé"
    for name in ("André", "José", "José", "José"):
        Curator(opened, "Ana").undo()
        assert [one.id for one in Browser(opened).turtles()] == [name]
    assert check_catalog(opened).problems == ()


def test_a_field_copy_finds_the_turtle_that_an_earlier_version_kept(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "José", taken_on=day(1))], "Ana")
    field = Catalog.create(tmp_path / "field.catalog", catalog.recipe)
    field.enroll([photo(1, "José", taken_on=day(1)), photo(2, "José", taken_on=day(1))], "Ben")
    main = accents_apart(catalog)
    assert join(main, field, "Ana").added == 1
    assert [(one.id, one.photos) for one in Browser(main).turtles()] == [("José", 2)]
    assert len(Browser(main).encounters()) == 1


def test_two_turtles_whose_ids_differ_by_their_form_alone_stay_two_and_are_told(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "José"), photo(2, "Josés")], "Ana")
    with catalog.writing("test"), catalog.transaction("test", "Ana", "test") as transaction:
        transaction.run("UPDATE turtles SET id = 'José' WHERE key = 2")
    opened = accents_apart(catalog, 2)
    assert [(one.id, one.photos) for one in Browser(opened).turtles()] == [("Jose\u0301", 1), ("José", 1)]
    first, second = check_catalog(opened).problems
    assert "Turtle 1 shares its id" in first
    assert "Turtle 2 shares its id" in second
    ana = Curator(opened, "Ana")
    ana.note_turtle("José", "one flipper")
    ana.undo()  # which asks nothing about what an earlier version left
    opened.enroll([photo(3, "José")], "Ana")
    assert Browser(opened).photo("3").turtle == opened.standing_ids(["José"])["José"] == "José"
    ana.merge_turtles("José", ["Jose\u0301"])
    assert [one.turtle for one in Browser(opened).photos()] == ["José"] * 3
    assert check_catalog(opened).problems == ()


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="rights of this system are others")
def test_an_earlier_schema_that_may_only_be_read_is_read(catalog: Catalog) -> None:
    recipe = catalog.setting("recipe")
    assert recipe is not None
    registry_of(3, catalog.path / "registry.duckdb", recipe)
    (catalog.path / "vectors.faiss").unlink(missing_ok=True)
    before = (catalog.path / "registry.duckdb").read_bytes()
    with readable_only(catalog.path):
        opened = Catalog.open(catalog.path)
        assert [turtle.id for turtle in Browser(opened).turtles()] == ["Old friend"]
        assert opened.notice is not None
        assert "earlier turtleidx" in opened.notice
        with pytest.raises(CatalogReadOnly):
            Curator(opened, "Ana").note_turtle("Old friend", "one flipper")
        copy = opened.registry.path
        assert copy.parent != catalog.path
        del opened
        gc.collect()
        assert not copy.exists()
    assert (catalog.path / "registry.duckdb").read_bytes() == before
    assert Catalog.open(catalog.path).notice is None


def test_only_the_newest_backups_are_kept(catalog: Catalog) -> None:
    made = [catalog.registry.set_aside(keep=2) for _ in range(4)]
    assert sorted((catalog.path / "backups").iterdir()) == made[2:]


def test_a_migration_that_fails_changes_nothing(catalog: Catalog) -> None:
    path = catalog.path / "registry.duckdb"
    broken = Registry(path, migrations=(*MIGRATIONS, "CREATE TABLE fine (a INTEGER)", "CREATE TABLE fine (b INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        broken.migrate()
    assert broken.version() == len(MIGRATIONS) + 1  # each step commits with its own record
    with pytest.raises(CatalogTooNew):
        Registry(path).version()


class FullDisk(Registry):
    """A registry whose disk is full at the moment of commit."""

    def _finish(self, transaction: Transaction, event: tuple[str, str, str, str, int | None]) -> None:
        del transaction, event
        raise StorageFull("full")


def test_a_failed_commit_keeps_nothing(catalog: Catalog) -> None:
    full = Catalog(catalog.path, FullDisk(catalog.path / "registry.duckdb"), catalog.recipe)
    with pytest.raises(StorageFull):
        full.enroll([photo(1, "T001")], "Ana")
    assert catalog.feature_store.digests() == set()
    with catalog.reading() as session:
        assert isinstance(session, Session)
        assert session.number("SELECT count(*) FROM photos") == 0
