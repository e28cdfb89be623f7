"""Fitted models that a catalogue keeps: the newest of a kind, and beside it those of other recipes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

from index.registry import Session, StoredModel, Transaction, read_models


def keep_model(transaction: Transaction, kind: str, recipe: str, payload: str) -> None:
    """Write a fitted model as the newest of its kind; that of another recipe steps aside for it."""
    before = newest_model(transaction, kind)
    made_at, event = transaction.at.isoformat(sep=" "), transaction.event
    rows = [{"kind": kind, "recipe": recipe, "payload": payload, "made_at": made_at, "event": event}]
    if before is not None and before.recipe != recipe:
        aside = asdict(before) | {"kind": _aside(kind, before.recipe), "made_at": str(before.made_at)}
        rows.append(aside)
    transaction.journal.put("models", rows)


def newest_model(session: Session, kind: str, recipe: str | None = None) -> StoredModel | None:
    """The newest model of a kind, of this recipe where one is named."""
    wanted = {kind} if recipe is None else {kind, _aside(kind, recipe)}
    found = [model for model in read_models(session) if model.kind in wanted and recipe in (None, model.recipe)]
    return max(found, key=lambda model: model.event, default=None)


def _aside(kind: str, recipe: str) -> str:
    """The kind under which a recipe's model is kept beside the newest one."""
    return f"{kind} of recipe {hashlib.blake2b(recipe.encode(), digest_size=4).hexdigest()}"
