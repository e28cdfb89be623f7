"""What the registry answered, kept until its file changes: a page asks the same of it again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from index.catalog import Catalog

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
