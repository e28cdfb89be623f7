"""What the next groups will show, made while a person still looks at this one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from index.registry import PhotoRecord
from retrieval.web.pairs import Pairs
from retrieval.web.pictures import Pictures
from retrieval.web.queue.comparing import Item
from retrieval.web.queue.views import best_pair


class Ahead:
    """Compares the first pairs of the next groups in a thread of its own; only the newest wish counts."""

    def __init__(
        self,
        pairs: Pairs,
        pictures: Pictures,
        item: Callable[[int], Item | None],
        photos: Callable[[Sequence[int]], list[PhotoRecord]],
    ) -> None:
        self._pairs = pairs
        self._photos = photos
        self._pictures = pictures
        self._item = item
        self._wished: Sequence[int] = ()
        self._wake = threading.Event()
        self._closed = False

    def start(self) -> None:
        """Wait for wishes from now on."""
        threading.Thread(target=self._work, name="ahead", daemon=True).start()

    def ask(self, keys: Sequence[int]) -> None:
        """These groups come next."""
        self._wished = tuple(keys)
        self._wake.set()

    def close(self) -> None:
        """Stop after the present pair."""
        self._closed = True
        self._wake.set()

    def _work(self) -> None:
        while self._wake.wait() and not self._closed:
            self._wake.clear()
            for key in self._wished:
                if self._wake.is_set():
                    break  # somebody went on meanwhile
                try:
                    self._prepare(key)
                except Exception:  # a photo that cannot be read is told where it is shown
                    logging.getLogger(__name__).debug("not made ahead", exc_info=True)

    def _prepare(self, key: int) -> None:
        item = self._item(key)
        pair = None if item is None else best_pair(item)
        if pair is None:
            return
        ours, theirs = self._photos(pair)
        self._pairs.view(ours, theirs)
        for photo in (ours, theirs):
            self._pictures.picture(photo, "large")
