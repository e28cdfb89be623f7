"""Answers on their way into the catalogue: on disk before anything is tried, so that a crash loses none.

While another process writes they wait, in order. Each is written once, however often it is tried: the registry knows
the keys of those that it has.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from index.catalog import OUTBOX, UNREADABLE
from index.curation import RecordedAnswer, ReviewAnswer, Said
from index.errors import CatalogBusy, TurtleidxError
from index.files import replacing

ENDING = ".json"

Write = Callable[[ReviewAnswer], RecordedAnswer]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of an answer: written, waiting for another process, or refused with a sentence."""

    answer: ReviewAnswer
    recorded: RecordedAnswer | None = None
    refused: str | None = None

    @property
    def waits(self) -> bool:
        return self.recorded is None and self.refused is None


class Outbox:
    """The folder `outbox` of a catalogue.

    Parameters
    ----------
    write : callable
        Writes one answer. Raises CatalogBusy while another process writes, and any other error for good.
    told : callable
        Called with answers that had to wait, once they are written or refused.
    """

    def __init__(self, catalog: Path, write: Write, told: Callable[[Delivered], None]) -> None:
        self._folder = catalog / OUTBOX
        self._write = write
        self._told = told
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def post(self, answer: ReviewAnswer) -> Delivered:
        """Keep an answer and write it at once where nobody else is writing. Raises StorageFull."""
        self._folder.mkdir(exist_ok=True)
        with self._turn:
            earlier = [one for one in self.waiting() if one.key != answer.key]
            path = self._folder / f"{time.time_ns():020d}-{answer.key}{ENDING}"
            with replacing(path) as draft:
                draft.write_text(json.dumps(asdict(answer), ensure_ascii=False), encoding="utf-8")
            if earlier:  # in order
                return Delivered(answer)
            return self._deliver(path, answer)

    def withdraw(self, key: str) -> ReviewAnswer | None:
        """Forget an answer that is not in the catalogue yet, and give it; None where none of that key waits."""
        with self._turn:
            for path in self._files():
                answer = _read(path)
                if answer is not None and answer.key == key:
                    path.unlink(missing_ok=True)
                    return answer
        return None

    def waiting(self) -> list[ReviewAnswer]:
        """Answers that are not in the catalogue yet, in order."""
        return [answer for path in self._files() if (answer := _read(path)) is not None]

    def start(self) -> None:
        """Try again and again, in the background, whatever waits; also what an earlier process left."""
        self._thread = threading.Thread(target=self._keep_trying, name="outbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop trying; what waits stays on disk."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(5)

    def deliver_all(self) -> list[Delivered]:
        """Try everything that waits, once; stops at the first that has to wait on."""
        done = []
        with self._turn:
            for path in self._files():
                answer = _read(path)
                if answer is None:
                    path.rename(path.with_suffix(UNREADABLE))
                    continue
                delivered = self._deliver(path, answer)
                if delivered.waits:
                    break
                done.append(delivered)
        for one in done:
            self._told(one)
        return done

    def _deliver(self, path: Path, answer: ReviewAnswer) -> Delivered:
        try:
            recorded = self._write(answer)
        except CatalogBusy:
            return Delivered(answer)
        except TurtleidxError as error:
            path.unlink(missing_ok=True)
            return Delivered(answer, refused=str(error))
        path.unlink(missing_ok=True)
        return Delivered(answer, recorded)

    def _keep_trying(self) -> None:
        while True:
            try:
                self.deliver_all()
            except Exception:  # a full disk, say: the answers are still here
                logging.getLogger(__name__).exception("answers wait")
            if self._closed.wait(1.0):
                return

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{ENDING}")) if self._folder.is_dir() else []


def _read(path: Path) -> ReviewAnswer | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values["said"] = Said(values["said"])
        for name in ("encounters", "photos", "seen"):
            values[name] = tuple(int(one) for one in values[name])
        return ReviewAnswer(**values)
    except (OSError, ValueError, TypeError, KeyError):
        return None
