"""Exact places of kept queries leave the program only where somebody asks for them."""

from __future__ import annotations

import json

from index.registry import Change
from retrieval import schemas


def test_what_changed_in_a_kept_query_tells_its_place_roughly() -> None:
    before, after = (
        json.dumps({"evidence": json.dumps({"p_new": p, "known": {"latitude": -8.123456, "longitude": 115.98765}})})
        for p in (0.5, 0.6)
    )
    told = json.dumps(schemas.change_record(Change("queries", "1", before, after), {}))
    assert "0.6" in told
    assert "-8.1" in told
    assert "-8.12" not in told
    assert "115.98" not in told
