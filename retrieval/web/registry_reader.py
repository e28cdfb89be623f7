"""What the pages ask the registry, remembered until its file changes: a page asks the same again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from index.catalog import Browser, Catalog
from index.curation import answer_seconds
from index.errors import UnknownRecord
from index.registry import PhotoRecord, read_records, several
from retrieval.web.queue import records_of

Answer = TypeVar("Answer")

REMEMBERED = 500


class RegistryCache:
    """Answers by their questions; all are forgotten with the first change, whoever made it."""

    def __init__(self, catalog: Catalog) -> None:
        self._registry = catalog.registry
        self._signature: tuple[int, ...] = ()
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """The answer to a question, asked now where the registry has changed since; raises what `ask` raises."""
        before = self._registry.signature()
        with self._lock:
            if before != self._signature:
                self._answers.clear()
                self._signature = before
            elif question in self._answers:
                self._answers.move_to_end(question)
                kept: Answer = self._answers[question]
                return kept
        answer = ask()
        with self._lock:
            if before == self._signature:  # else the answer may be of either state
                self._answers[question] = answer
                while len(self._answers) > REMEMBERED:
                    self._answers.popitem(last=False)
        return answer


class RegistryReader:
    """Questions about turtles and photos, each asked once as long as nobody changes the registry."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._browser = Browser(catalog)
        self._asked = RegistryCache(catalog)

    def answer_seconds(self) -> Mapping[str, Sequence[float]]:
        """How long people's answers took, by what they said."""
        return self._asked.get("seconds", lambda: answer_seconds(self._catalog))

    def ids_like(self, letters: str, most: int = 12) -> list[str]:
        """Ids of active turtles that contain some letters, those that begin with them first."""
        with self._catalog.reading() as session:
            rows = session.rows(
                "SELECT id FROM (SELECT id, lower(nfc_normalize(id)) AS plain, lower(nfc_normalize(?)) AS letters "
                "FROM turtles WHERE status = 'active') WHERE contains(plain, letters) "
                "ORDER BY NOT starts_with(plain, letters), id LIMIT ?",
                *(letters, most),
            )
        return [str(name) for (name,) in rows]

    def photos(self, numbers: Sequence[int]) -> list[PhotoRecord]:
        """Photos by number, in this order. Raises UnknownRecord."""
        return self._asked.get(("photos", *numbers), lambda: self._photos(numbers))

    def _photos(self, numbers: Sequence[int]) -> list[PhotoRecord]:
        with self._catalog.reading() as session:
            chosen = f"SELECT * FROM photos WHERE id IN ({several(numbers)})"
            found = {one.id: one for one in read_records(session, chosen)}
        for number in numbers:
            if number not in found:
                raise UnknownRecord(f"There is no photo {number} in the catalogue.")
        return [found[number] for number in numbers]

    def photos_of_all(self, turtles: Collection[str], encounters: Collection[int] = ()) -> list[PhotoRecord]:
        """All photos of some turtles and of some encounters."""
        question = ("records", frozenset(turtles), frozenset(encounters))
        return self._asked.get(question, lambda: records_of(self._catalog, turtles, encounters))

    def next_turtle_id(self) -> str:
        """The id that a new turtle would get."""
        return self._asked.get("next id", self._catalog.next_turtle_id)

    def photos_of(self, turtle: str) -> list[PhotoRecord]:
        """All photos of an active turtle."""
        return self._browser.photos(turtle=turtle)
