"""Best scores of the latest queries, by which a drift of the photos is noticed; no record with a history, no event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.catalog import Catalog

MOST = 500
"""Scores that are kept; the oldest go."""


@dataclass(frozen=True, slots=True)
class RecentScore:
    """The best score of one query, as the fitted model saw it.

    Attributes
    ----------
    sha256 : str
        The photo; asked again, it counts once.
    encounter : str
        Photos with the same text are near-duplicates and count as one.
    gallery : int
        Turtles in the gallery that was searched.
    """

    sha256: str
    encounter: str
    score: float
    gallery: int


def remember_scores(catalog: Catalog, scores: Sequence[RecentScore], model: int) -> None:
    """Keep scores of queries under the model (its event); those of other models go. Raises CatalogBusy."""
    with catalog.writing("query"), catalog.transaction("remember scores", "") as transaction:
        transaction.run("DELETE FROM recent_scores WHERE model <> ?", model)
        transaction.run(
            "DELETE FROM recent_scores WHERE sha256 IN (SELECT unnest(?::VARCHAR[]))", [one.sha256 for one in scores]
        )
        transaction.run(
            "INSERT INTO recent_scores SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::DOUBLE[]), "
            "unnest(?::BIGINT[]), ?, ?",
            *([getattr(one, name) for one in scores] for name in ("sha256", "encounter", "score", "gallery")),
            *(model, transaction.at),
        )
        transaction.run(
            "DELETE FROM recent_scores WHERE rowid NOT IN "
            f"(SELECT rowid FROM recent_scores ORDER BY made_at DESC, rowid DESC LIMIT {MOST})"
        )


def recent_scores(catalog: Catalog, model: int) -> list[RecentScore]:
    """The latest scores under a model (its event), oldest first."""
    with catalog.reading() as session:
        rows = session.rows(
            "SELECT sha256, encounter, score, gallery FROM recent_scores WHERE model = ? ORDER BY made_at, rowid", model
        )
    return [RecentScore(*row) for row in rows]
