"""Keeping a query with all that its answer rested on, so that a person can decide later and others can follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

from index.catalog import Catalog
from index.curation import Decisions
from index.errors import InputError, PhotoRefused
from index.exchange import RefusedRow
from index.naming import whole_path
from index.registry import KeptQuery
from retrieval.images import file_sha256
from retrieval.novelty import Verdict
from retrieval.pipeline.queries import Answer


def keep(catalog: Catalog, answer: Answer, evidence: Mapping[str, object], who: str) -> KeptQuery | None:
    """Keep an answered query; None for a photo that was refused, about which there is nothing to decide.

    Parameters
    ----------
    evidence : mapping
        What the answer rested on, as `schemas.evidence_record` gives it; kept as JSON, with the head that was asked
        about: a file may hold several, and each is a query of its own.
    """
    found = answer.identification
    if isinstance(answer.question, RefusedRow) or found.verdict is Verdict.REFUSED:
        return None
    path, photo = Path(answer.question.sighting.path), found.query.prepared
    head: dict[str, object] = {}
    if photo is not None:
        catalog.feature_store.put_query(photo.key, photo.features, photo.thumbnail)  # for a fit to learn from
        box = photo.sighting.box
        head = {"sighting": photo.key, "box": box and astuple(box), "turn": photo.sighting.turn}
    sha256 = file_sha256(path) if photo is None else photo.sha256
    text = json.dumps({**evidence, **head}, ensure_ascii=False, allow_nan=False)
    return Decisions(catalog).keep(sha256, str(whole_path(path)), str(found.verdict), text, who)


def require_unchanged(query: KeptQuery) -> None:
    """Raises InputError unless the file that was asked about is there as it was: cameras use names again."""
    try:
        sha256 = file_sha256(Path(query.path))
    except PhotoRefused as refusal:
        raise InputError(f"{refusal} Nothing was decided.") from refusal
    if sha256 != query.sha256:
        raise InputError(f"{query.path} has changed since it was kept; nothing was decided.")
