"""The same answers by encounter: all photos of one turtle on one occasion get one verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from index.catalog import Catalog
from index.exchange import ManifestRow
from retrieval.evaluation.metrics import auroc, reliability
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.pipeline import Identification
from retrieval.pipeline.encounters import answer_together


def encounter_figures(
    catalog: Catalog, answered: Sequence[tuple[ManifestRow, Identification]], model: CatalogModel, prior_new: float
) -> dict[str, object]:
    """Figures of the encounters that the manifest names; none where it names none or there is no model.

    Parameters
    ----------
    answered : sequence of (row, answer)
        Each photo answered alone.
    """
    met: dict[str, list[tuple[ManifestRow, Identification]]] = defaultdict(list)
    for row, found in answered:
        if row.sighting.encounter is not None and found.candidates:
            met[row.sighting.encounter].append((row, found))
    if not met or model.novelty is None:
        return {}
    together = [
        (
            each[0][0],
            answer_together(catalog, name, tuple(found for _, found in each), model, DecisionPolicy(prior_new)),
        )
        for name, each in met.items()
    ]
    known = np.array([row.role == "known" for row, _ in together])
    p_new = np.array([found.prediction.p_new or 0.0 for _, found in together])
    first = np.array([found.candidates[0].turtle == row.sighting.turtle for row, found in together])
    wrong = np.array([found.turtle not in (None, row.sighting.turtle) for row, found in together])
    said = [found.verdict for _, found in together]
    return {
        "encounters_known": int(known.sum()),
        "encounters_new": int((~known).sum()),
        "encounter_top1": float(first[known].mean()) if known.any() else None,
        "encounter_auroc_p_new": auroc(p_new, ~known),
        "encounter_ece": reliability(p_new, ~known).error,
        "encounter_verdicts_known": _counted(said, known),
        "encounter_verdicts_new": _counted(said, ~known),
        "encounters_wrongly_known": int(wrong.sum()),
    }


def _counted(said: Sequence[Verdict], those: np.ndarray) -> dict[str, int]:
    return dict(Counter(str(verdict) for verdict, there in zip(said, those, strict=True) if there))
