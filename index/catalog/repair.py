"""Whose features are kept, and taking away what a command that was cut short left behind."""

from __future__ import annotations

from pathlib import Path

from index.features import FeatureStore
from index.registry import QUERY_KEY, Registry

OWNERS = f"""
SELECT coalesce(sighting, sha256) AS key FROM photos
UNION ALL SELECT {QUERY_KEY} FROM queries
UNION ALL SELECT sighting FROM readings
UNION ALL SELECT coalesce(json_extract_string(before, 'sighting'), json_extract_string(before, 'sha256'))
FROM journal WHERE record = 'photos' AND after IS NULL
"""
"""Whose features are kept: also removed photos, and those whose enrolment was undone, because both can come back."""


def take_leftovers_away(folder: Path, registry: Registry, features: FeatureStore) -> None:
    """Delete features of an unfinished batch that nothing in the registry owns, and files that were never finished."""
    unfinished = features.pending()
    if unfinished:
        sql = f"SELECT key FROM ({OWNERS}) WHERE key IN (SELECT unnest(?::VARCHAR[]))"
        with registry.reading() as session:
            owned = {str(row[0]) for row in session.rows(sql, sorted(unfinished))}
        features.settle(set(unfinished) - owned)
    for leftover in (*folder.glob("*.partial"), *folder.glob("*/*.partial")):
        leftover.unlink(missing_ok=True)
