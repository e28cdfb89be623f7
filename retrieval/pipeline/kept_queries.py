"""Keeping a query with all that its answer rested on, so that a person can decide later and others can follow."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from index.catalog import Catalog
from index.curation import Curator, Decisions
from index.errors import InputError, PhotoRefused
from index.exchange import RefusedRow
from index.naming import whole_path
from index.registry import KeptQuery
from index.types import BoxOrigin, HeadBox, Side, Sighting
from retrieval.defaults import Heads
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.images import file_digests, file_sha256
from retrieval.novelty import Verdict
from retrieval.pipeline.intake import enroll, finder_of, masks_of, remembered_heads
from retrieval.pipeline.queries import Answer
from retrieval.pipeline.results import EnrollReport

AS_THEY_ARE = ("encounter", "species", "site", "observer", "latitude", "longitude", "box_confidence", "turn")
"""What is known about a photo and is kept as it is."""


def keep(catalog: Catalog, answer: Answer, evidence: Mapping[str, object], who: str) -> KeptQuery | None:
    """Keep an answered query; None for a photo that was refused, about which there is nothing to decide.

    Parameters
    ----------
    evidence : mapping
        What the answer rested on, as `schemas.evidence_record` gives it; kept as JSON, with what is `known` of the
        photo and the key of its `sighting`: a file may hold several heads, and each is a query of its own.
    """
    found = answer.identification
    if isinstance(answer.question, RefusedRow) or found.verdict is Verdict.REFUSED:
        return None
    path, photo = Path(answer.question.sighting.path), found.query.prepared
    sha256 = file_sha256(path) if photo is None else photo.sha256
    read: dict[str, object] = {}
    if photo is not None:
        catalog.feature_store.put_query(photo.key, photo.features, photo.thumbnail)  # for a fit to learn from
        read["sighting"] = photo.key
    known = known_record(answer.question.sighting if photo is None else photo.sighting)
    known |= {"compared": photo is not None, "content": None if photo is None else photo.content}
    text = json.dumps({**evidence, **read, "known": known}, ensure_ascii=False, allow_nan=False)
    return Decisions(catalog).keep(sha256, str(whole_path(path)), str(found.verdict), text, who)


def known_record(seen: Sighting) -> dict[str, object]:
    """What is known about a photo besides its file and whom it shows, for `kept_sighting`."""
    box = seen.box
    return {
        **{name: getattr(seen, name) for name in AS_THEY_ARE},
        "side": seen.side,
        "taken_on": None if seen.taken_on is None else str(seen.taken_on),
        "box": None if box is None else [box.x, box.y, box.w, box.h],
        "box_origin": seen.box_origin,
        "notes": dict(seen.notes),
    }


def kept_sighting(query: KeptQuery) -> Sighting:
    """The photo of a kept query with all that was known about it; earlier versions kept side and day alone."""
    evidence = json.loads(query.evidence)
    known = evidence.get("known", evidence)
    side, day, box, origin = (known.get(name) for name in ("side", "taken_on", "box", "box_origin"))
    seen = Sighting(
        query.path,
        side=None if side is None else Side(side),
        taken_on=None if day is None else dt.date.fromisoformat(day),
        box=None if box is None else HeadBox(*box),
        box_origin=None if origin is None else BoxOrigin(origin),
        notes=known.get("notes", {}),
    )
    return replace(seen, **{name: known[name] for name in AS_THEY_ARE if name in known})


def enroll_kept(catalog: Catalog, query: KeptQuery, turtle: str, who: str, device: str | None) -> EnrollReport:
    """Enroll the photo of a kept query as that turtle's, with all that was known about it.

    A photo that was compared is taken as it was then, whole or within its box; of others the catalogue's own settings
    say what becomes of them.

    Raises
    ------
    InputError
        The photo cannot be enrolled, or is not there as it was.
    """
    _require_unchanged(query)
    compared = json.loads(query.evidence).get("known", {}).get("compared", False)
    choices = EngineOptions(
        matcher=NEAREST,
        device=device,
        heads=Heads.WHOLE if compared else remembered_heads(catalog),
        head_finder=finder_of(catalog),
        masks=masks_of(catalog),
    )
    sighting = replace(kept_sighting(query), turtle=turtle)
    report = enroll(catalog, [sighting], Engine.load(catalog.recipe, choices), who)
    if report.refused:
        raise InputError(f"{report.refused[0].reason} Nothing was decided.")
    if report.already_there:
        Curator(catalog, who, f"query {query.id}").move_photos(report.already_there, turtle)
    return report


def _require_unchanged(query: KeptQuery) -> None:
    """Raises InputError unless the file shows what was asked about: cameras use names again."""
    try:
        there = file_digests(Path(query.path))
    except PhotoRefused as refusal:
        raise InputError(f"{refusal} Nothing was decided.") from refusal
    content = json.loads(query.evidence).get("known", {}).get("content")
    if there.sha256 != query.sha256 and (content is None or there.content != content):
        raise InputError(f"{query.path} has changed since it was kept; nothing was decided.")
