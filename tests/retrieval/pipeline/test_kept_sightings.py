"""What is known about a photo that was asked about outlasts the command, so that a decision can enroll it with that."""

from __future__ import annotations

import datetime as dt
import json

from hypothesis import given, strategies as st

from index.registry import KeptQuery
from index.types import BoxOrigin, HeadBox, Side, Sighting
from retrieval.pipeline.kept_queries import kept_sighting, known_record

ASKED = dt.datetime(2026, 7, 1, 12, 0)
words = st.none() | st.text(min_size=1, max_size=20)
pixels = st.floats(0, 1e6)
sightings = st.builds(
    Sighting,
    path=st.just("/beach/IMG_0001.jpg"),
    turtle=st.none() | st.just("T017"),
    side=st.none() | st.sampled_from(Side),
    taken_on=st.none() | st.dates(dt.date(1990, 1, 1)),
    encounter=words,
    species=words,
    site=words,
    observer=words,
    latitude=st.none() | st.floats(-90, 90),
    longitude=st.none() | st.floats(-180, 180),
    box=st.none() | st.builds(HeadBox, pixels, pixels, pixels, pixels),
    notes=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    box_origin=st.none() | st.sampled_from(BoxOrigin),
    box_confidence=st.none() | st.floats(0, 1),
    turn=st.integers(0, 3),
)


def kept(evidence: dict[str, object], path: str = "/beach/IMG_0001.jpg") -> KeptQuery:
    return KeptQuery(1, "ab" * 32, path, "UNDECIDED", json.dumps(evidence), ASKED, None)


@given(sightings)
def test_all_that_is_known_is_kept_but_whom_the_photo_shows(seen: Sighting) -> None:
    again = kept_sighting(kept({"candidates": [], "known": known_record(seen)}))
    assert again.turtle is None
    assert {name: getattr(again, name) for name in Sighting.__slots__ if name != "turtle"} == {
        name: getattr(seen, name) for name in Sighting.__slots__ if name != "turtle"
    }


def test_queries_that_an_earlier_version_kept_tell_side_and_day() -> None:
    assert kept_sighting(kept({"side": "left", "taken_on": "2020-01-05"})) == Sighting(
        "/beach/IMG_0001.jpg", side=Side.LEFT, taken_on=dt.date(2020, 1, 5)
    )
    assert kept_sighting(kept({"side": None, "taken_on": None})) == Sighting("/beach/IMG_0001.jpg")
