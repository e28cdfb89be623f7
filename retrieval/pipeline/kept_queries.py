"""Keeping a query with all that its answer rested on, so that a person can decide later and others can follow."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from index.catalog import Catalog
from index.curation import Decisions
from index.exchange import RefusedRow
from index.naming import whole_path
from index.registry import KeptQuery
from retrieval.engine import Engine
from retrieval.images import file_sha256, jpeg, load_photo
from retrieval.novelty import MODEL, DecisionPolicy, Verdict
from retrieval.pipeline.queries import Answer


def keep(catalog: Catalog, answer: Answer, engine: Engine, policy: DecisionPolicy, who: str) -> KeptQuery | None:
    """Keep an answered query; None for a photo that was refused, about which there is nothing to decide."""
    found = answer.identification
    if isinstance(answer.question, RefusedRow) or found.verdict is Verdict.REFUSED:
        return None
    path = Path(answer.question.sighting.path)
    evidence = _evidence(catalog, answer, engine, policy)
    sha256 = file_sha256(path)
    if found.features is not None and not catalog.enrolled([sha256]):
        photo = load_photo(path, engine.extractor.long_side, answer.question.sighting.box)
        catalog.feature_store.put_query(sha256, found.features, jpeg(photo.pixels))  # for a fit to learn from
    return Decisions(catalog).keep(sha256, str(whole_path(path)), str(found.verdict), evidence, who)


def _evidence(catalog: Catalog, answer: Answer, engine: Engine, policy: DecisionPolicy) -> str:
    found, model = answer.identification, catalog.model(MODEL)
    candidates = [
        {
            "turtle": one.turtle,
            "score": one.score,
            "probability": one.probability,
            "matches": one.matches,
            "photo": one.photo.sha256,
        }
        for one in found.candidates
    ]
    record = {
        "turtle": found.turtle,
        "reason": found.reason,
        "p_new": found.p_new,
        "p_new_interval": None if found.p_new is None else [found.p_new_low, found.p_new_high],
        "p_not_compared": found.p_not_compared,
        "candidates": candidates,
        "compared": {"photos": found.compared_photos, "turtles": found.compared_turtles},
        "gallery": {"photos": found.gallery_photos, "turtles": found.gallery_turtles},
        "enrolled_as": answer.enrolled_as,
        "side": found.side,
        "taken_on": None if found.taken_on is None else str(found.taken_on),
        "recipe": engine.evidence,
        "model": None if model is None else {"recipe": model.recipe, "event": model.event},
        "terms": {"prior_new": policy.prior_new, **asdict(policy.rates)},
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False)
