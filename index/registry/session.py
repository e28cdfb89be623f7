"""Questions to an open registry; shares the door to DuckDB with `index.registry`."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[Any]]


class Session:
    """One open connection; reads a consistent state."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._types: dict[str, Mapping[str, str]] = {}

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query; values replace its question marks."""
        return self._connection.execute(sql, list(values)).fetchall()

    def row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        return self._connection.execute(sql, list(values)).fetchone()

    def number(self, sql: str, *values: object) -> int:
        """The one whole number that a query gives; 0 for NULL or no row."""
        row = self.row(sql, *values)
        return int(row[0]) if row and row[0] is not None else 0

    def columns(self, sql: str, *values: object) -> Columns:
        """A query's columns as numpy arrays; masked where a value is NULL."""
        columns: Columns = self._connection.execute(sql, list(values)).fetchnumpy()
        return columns

    def run(self, sql: str, *values: object) -> None:
        """Run a statement without a result."""
        self._connection.execute(sql, list(values))

    def run_on(self, given: Columns, sql: str) -> None:
        """Run a statement that reads arrays as the columns of a table called `given`: quicker than many values."""
        self._connection.register("given", given)
        self._connection.execute(sql)
        self._connection.unregister("given")

    def parquet(self, file: Path, most: int | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and at most so many rows of one Parquet file, whose name is no pattern. Raises ValueError."""
        literal = re.sub(r"[*?\[]", r"[\g<0>]", str(file))
        try:
            sql = "SELECT * FROM read_parquet(?, hive_partitioning = false) LIMIT ?"
            found = self._connection.execute(sql, [literal, most])
            return [str(column[0]) for column in found.description or ()], found.fetchall()
        except duckdb.Error as error:
            raise ValueError(str(error).splitlines()[0]) from error

    def write_parquet(self, file: Path, sql: str, *values: object) -> None:
        """Write what a query gives to a Parquet file. Raises OSError where it cannot be written."""
        quoted = str(file).replace("'", "''")
        try:
            self._connection.execute(f"COPY ({sql}) TO '{quoted}' (FORMAT parquet)", list(values))
        except duckdb.IOException as error:
            raise OSError(errno.EIO, str(error).splitlines()[0], str(file)) from error

    def column_types(self, table: str) -> Mapping[str, str]:
        """Names and types of a table's columns, in order; the first is its key."""
        if table not in self._types:
            described = self.rows(f"DESCRIBE {table}")
            self._types[table] = {str(row[0]): str(row[1]) for row in described}
        return self._types[table]
