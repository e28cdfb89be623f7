"""Many questions at once: photos are described ahead of their turn, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from drawing.heads import draw_head
from index.errors import PhotoUnreadable
from index.manifest import RefusedRow
from index.types import PreparedPhoto, Sighting
from retrieval.answering import described_ahead
from retrieval.intake import Question
from retrieval.loading import Choices, load_instruments
from retrieval.pipeline import describe


def test_photos_are_described_in_order_as_they_are_alone_and_refusals_keep_their_place(tmp_path: Path) -> None:
    instruments = load_instruments(Choices())
    paths = [tmp_path / f"{turtle}.png" for turtle in range(2)]
    for turtle, path in enumerate(paths):
        cv2.imwrite(str(path), cv2.cvtColor(draw_head(turtle, 0, size=(320, 256)), cv2.COLOR_RGB2BGR))
    refused = RefusedRow(1, "row", "no photo", {})
    asked = [Question(Sighting(str(path)), {}) for path in (paths[0], tmp_path / "missing.png", paths[1])]
    found = list(described_ahead([asked[0], refused, *asked[1:]], instruments))
    assert [one for one, _ in found] == [asked[0], refused, *asked[1:]]
    first, nothing, missing, last = (described for _, described in found)
    assert nothing is None
    assert missing is not None and isinstance(missing.photo, PhotoUnreadable)
    for described, question in ((first, asked[0]), (last, asked[2])):
        alone = describe(question.sighting, instruments).photo
        assert described is not None and isinstance(described.photo, PreparedPhoto)
        assert isinstance(alone, PreparedPhoto)
        assert described.photo.sha256 == alone.sha256
        assert np.array_equal(described.photo.features.xy, alone.features.xy)


def test_the_next_photo_is_taken_up_before_the_answer_to_this_one_is_asked_for(tmp_path: Path) -> None:
    instruments = load_instruments(Choices())
    taken: list[int] = []

    def asked() -> Iterator[Question]:
        for number in range(3):
            taken.append(number)
            yield Question(Sighting(str(tmp_path / f"{number}.png")), {})

    ahead = described_ahead(asked(), instruments)
    next(ahead)
    assert taken == [0, 1]
