"""Answers that are told together, when the command stops before all of them are there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from index.errors import CatalogBusy, PhotoUnreadable
from index.exchange import RefusedRow
from retrieval.cli.answering import Telling, Told
from retrieval.cli.options import Sorting
from retrieval.cli.printing import Form
from retrieval.pipeline import Answer, unanswered


def stopped(refused: list[Told]) -> Iterator[Told]:
    yield from refused
    raise CatalogBusy("Another program writes.")


@pytest.mark.parametrize(
    ("form", "sort", "names"),
    [
        (Form.CSV, None, ["b.jpg", "a.jpg"]),
        (Form.CSV, Sorting.PHOTO, ["a.jpg", "b.jpg"]),
        (Form.TABLE, Sorting.PHOTO, ["a.jpg", "b.jpg"]),
        (Form.JSON, Sorting.PHOTO, ["a.jpg", "b.jpg"]),
    ],
)
def test_what_was_answered_is_told_even_if_a_later_photo_stops_the_command(
    form: Form, sort: Sorting | None, names: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    answered = [unusable(name) for name in ("b.jpg", "a.jpg")]
    with pytest.raises(CatalogBusy):
        Telling(form, 5, full=False, sort=sort).tell(stopped(answered))
    out, err = capfd.readouterr()
    said = err if form is Form.TABLE else out
    assert sorted(names, key=said.index) == names
    assert all(f"Moved {name}." in err for name in names)


def unusable(photo: str) -> Told:
    why = PhotoUnreadable("It is no photo.")
    return Told(Answer(RefusedRow(0, photo, str(why), {}), unanswered(photo, why, None)), (), (f"Moved {photo}.",))
