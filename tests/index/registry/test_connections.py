"""Registry files are held only as long as somebody uses them, and several may use one at once."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from index.registry.connections import Attaching


@pytest.fixture(scope="module")
def attaching() -> Attaching:
    return Attaching(os.getpid())


@pytest.fixture
def numbers(attaching: Attaching, tmp_path: Path) -> Path:
    with attaching.connected(tmp_path / "it's.duckdb", read_only=False) as connection:
        connection.execute("CREATE TABLE counted AS SELECT range AS n FROM range(10)")
    return tmp_path / "it's.duckdb"


def total(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("SELECT sum(n) FROM counted").fetchall()[0][0])


def test_a_file_is_let_go_by_its_last_user(attaching: Attaching, numbers: Path) -> None:
    with attaching.connected(numbers, read_only=True) as one:
        with attaching.connected(numbers, read_only=True) as other:
            assert total(one) == total(other) == 45
        assert total(one) == 45
        with (
            pytest.raises(duckdb.ConnectionException, match="different configuration"),
            attaching.connected(numbers, read_only=False),
        ):
            pass
    with attaching.connected(numbers, read_only=False) as writer:
        writer.execute("INSERT INTO counted VALUES (55)")
    with duckdb.connect(str(numbers)) as elsewhere:
        assert total(elsewhere) == 100


def test_one_may_read_beside_one_who_writes(attaching: Attaching, numbers: Path) -> None:
    with (
        attaching.connected(numbers, read_only=False) as writer,
        attaching.connected(numbers, read_only=True) as reader,
    ):
        writer.execute("BEGIN")
        writer.execute("INSERT INTO counted VALUES (55)")
        assert (total(writer), total(reader)) == (100, 45)
        writer.execute("COMMIT")
        assert total(reader) == 100


def test_two_files_do_not_see_each_other(attaching: Attaching, numbers: Path, tmp_path: Path) -> None:
    with (
        attaching.connected(tmp_path / "empty.duckdb", read_only=False) as empty,
        attaching.connected(numbers, read_only=True) as full,
    ):
        assert total(full) == 45
        with pytest.raises(duckdb.CatalogException):
            total(empty)


def test_a_file_that_is_none_is_not_held(attaching: Attaching, tmp_path: Path) -> None:
    path = tmp_path / "none.duckdb"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(duckdb.IOException), attaching.connected(path, read_only=True):
        pass
    path.unlink()
    with attaching.connected(path, read_only=False) as connection:
        connection.execute("CREATE TABLE counted AS SELECT 1 AS n")
        assert total(connection) == 1


def test_a_fatal_error_leaves_a_new_beginning(attaching: Attaching, numbers: Path) -> None:
    with pytest.raises(duckdb.FatalException), attaching.connected(numbers, read_only=True):
        raise duckdb.FatalException("stopped")
    with attaching.connected(numbers, read_only=False) as connection:
        assert total(connection) == 45
