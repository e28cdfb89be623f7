import datetime as dt

import pytest
from hypothesis import given, strategies as st

from index.exchange.tables.dates import improbable
from retrieval.images.formats.dates import taken
from retrieval.images.formats.exif import Exif, Stamp

TODAY = dt.date(2026, 7, 1)
TAKEN, CHANGED = Stamp("2019:07:01 10:22:03"), Stamp("2023:11:05 08:00:00")
ZERO, RESET = Stamp("0000:00:00 00:00:00"), Stamp("1980:01:01 00:00:12")
DAY = dt.date(2019, 7, 1)


@pytest.mark.parametrize(
    ("exif", "day"),
    [
        (Exif(original=TAKEN, digitized=CHANGED, changed=CHANGED), DAY),
        (Exif(digitized=TAKEN, changed=CHANGED), DAY),
        (Exif(original=ZERO, digitized=TAKEN, changed=CHANGED), DAY),
        (Exif(original=RESET, digitized=TAKEN), DAY),
        (Exif(original=Stamp("2019-07-01")), DAY),
        (Exif(original=Stamp("2019:07:01 25:61:00")), DAY),
        (Exif(changed=CHANGED), None),
        (Exif(original=RESET, changed=TAKEN), None),
        (Exif(original=Stamp("    :  :     :  :  ")), None),
        (Exif(), None),
    ],
)
def test_the_day_of_the_picture_and_never_that_of_a_change(exif: Exif, day: dt.date | None) -> None:
    assert taken(exif, TODAY).day == day


@pytest.mark.parametrize("written", ["1980:01:01 00:00:12", "2000:01:01 14:00:00", "2015:01:01 00:03:00"])
def test_days_on_which_clocks_begin_are_doubted(written: str) -> None:
    found = taken(Exif(original=Stamp(written)), TODAY)
    assert found.day is None
    assert found.doubt is not None
    assert found.doubt.startswith(f"is dated {written[:10].replace(':', '-')}, ")


def test_the_future_is_doubted_from_the_day_after_tomorrow() -> None:
    assert taken(Exif(original=Stamp("2026:07:02 01:00:00")), TODAY).day == dt.date(2026, 7, 2)
    assert taken(Exif(original=Stamp("2026:07:03 01:00:00")), TODAY).day is None
    assert improbable(dt.datetime(2098, 6, 1), TODAY) == "which lies in the future"


def test_new_year_s_day_is_a_day() -> None:
    assert taken(Exif(original=Stamp("2019:01:01 09:30:00")), TODAY).day == dt.date(2019, 1, 1)


def test_fractions_and_offsets_are_kept_for_order() -> None:
    assert (
        taken(Exif(original=Stamp("2019:07:01 10:22:03", "45", "+03:00")), TODAY).at == "2019-07-01T10:22:03.45+03:00"
    )
    assert taken(Exif(original=Stamp("2019:07:01 10:22:03", "٤", "three")), TODAY).at == "2019-07-01T10:22:03"


@given(st.text(max_size=30), st.text(max_size=5), st.text(max_size=8))
def test_no_text_stops_it_and_every_day_is_probable(text: str, fraction: str, offset: str) -> None:
    found = taken(Exif(original=Stamp(text, fraction, offset)), TODAY)
    assert found.day is None or dt.date(1990, 1, 1) < found.day <= TODAY + dt.timedelta(days=1)
