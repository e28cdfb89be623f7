"""Fitted models as plain records that name their kind and version, and go to JSON text; pickle is never read."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from index.errors import CatalogDamaged, CatalogTooNew


def model_record(kind: str, version: int, values: Mapping[str, object]) -> dict[str, object]:
    """A fitted model as a record for `read_model` and JSON; records may lie in records."""
    return {"kind": kind, "version": version, **values}


def model_json(record: Mapping[str, object]) -> str:
    """JSON text of a record; numpy arrays become lists, floats keep every digit."""
    return json.dumps(record, default=_plain, allow_nan=False)


def read_model(stored: Mapping[str, Any] | str, kind: str, version: int, names: Collection[str]) -> Mapping[str, Any]:
    """Read what `model_record` gave, or JSON text of it; all of `names` are there.

    Raises
    ------
    CatalogTooNew
        A newer version of turtleidx wrote it.
    CatalogDamaged
        It is not JSON, another kind of model, or incomplete.
    """
    try:
        values = json.loads(stored) if isinstance(stored, str) else stored
    except json.JSONDecodeError as error:
        raise CatalogDamaged(f"The stored {kind} cannot be read ({error}); run `turtleidx fit` again.") from error
    if not isinstance(values, Mapping) or values.get("kind") != kind or not isinstance(values.get("version"), int):
        raise CatalogDamaged(f"What is stored as the {kind} is something else; run `turtleidx fit` again.")
    if values["version"] > version:
        raise CatalogTooNew(f"A newer version of turtleidx wrote the {kind}; update turtleidx or run `turtleidx fit`.")
    if not values.keys() >= set(names):
        raise CatalogDamaged(f"The stored {kind} is incomplete; run `turtleidx fit` again.")
    return values


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a fitted model")
