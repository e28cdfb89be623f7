"""A process that is killed between an answer and its writing.

Run as: python -m tests.retrieval.web.answering CATALOG
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from index.catalog.catalog import Catalog
from index.curation.answers import RecordedAnswer, ReviewAnswer, Said
from retrieval.web.queue.outbox import Delivered, Outbox


def killed(answer: ReviewAnswer) -> RecordedAnswer:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(answer)


def nobody_listens(delivered: Delivered) -> None:
    raise AssertionError(delivered)


def an_answer(catalog: Catalog, key: str = "key-of-the-answer") -> ReviewAnswer:
    """The first unidentified encounter is a new turtle."""
    with catalog.reading() as session:
        encounter, photo = session.rows(
            "SELECT e.id, p.id FROM encounters e JOIN photos p ON p.encounter = e.id WHERE e.turtle IS NULL ORDER BY 1"
        )[0]
    return ReviewAnswer(key, Said.NEW, (encounter,), (photo,), None, (), "Ana", "", 3.0, "NEW", "{}")


if __name__ == "__main__":
    opened = Catalog.open(Path(sys.argv[1]))
    Outbox(opened.path, killed, nobody_listens).post(an_answer(opened))
