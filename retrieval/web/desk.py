"""Everything that the pages of one server share: the catalogue, who is asked, what is known, what was answered."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from index.catalog import Browser, Catalog
from index.curation import (
    Curator,
    RecordedAnswer,
    ReviewAnswer,
    Said,
    answer_event,
    proposals,
    record_answer,
)
from index.errors import CatalogBusy, UnknownRecord
from index.registry import ChangeReport, several
from retrieval.web.answer_events import encounters_of, settles_when_undone
from retrieval.web.drafts import ImportRun
from retrieval.web.guard import Door
from retrieval.web.pictures import Pictures
from retrieval.web.queue import (
    SECONDS,
    Delivered,
    Leases,
    Order,
    Outbox,
    Pace,
    Pile,
    Waiting,
    for_second_look,
    later_last,
    pile_of,
    ranked,
    record_blind_answer,
)
from retrieval.web.registry_reader import RegistryReader
from retrieval.web.settings import ReviewSettings, load_settings
from retrieval.web.workbench import Workbench

if TYPE_CHECKING:
    from retrieval.review import Finding
    from retrieval.web.pairs import Pairs
    from retrieval.web.queue import Ahead, Comparing, Item, Planted, Planting, Snapshot

Done = TypeVar("Done")

SETTLED = 5
"""Answers of a pile after which their own median says how long a look takes."""


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """How the page is served.

    Attributes
    ----------
    who : str
        The name under which answers are kept until a person gives another.
    lan : bool
        Whether other machines may come in.
    """

    who: str
    port: int = 0
    browser: bool = True
    lan: bool = False
    read_only: bool = False
    exact_locations: bool = False
    matcher: str | None = None
    device: str | None = None


@dataclass(eq=False)
class AuditRun:
    """The audit of one desk: running, done, or in trouble."""

    running: bool = False
    done: int = 0
    findings: tuple[Finding, ...] | None = None
    trouble: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Desk:
    """One catalogue under review."""

    def __init__(self, catalog: Catalog, options: ReviewOptions, door: Door) -> None:
        self.catalog = catalog
        self.options = options
        self.door = door
        self.browser = Browser(catalog)
        self.records = RegistryReader(catalog)
        self.bench = Workbench(catalog, options.matcher, options.device)
        self.pictures = Pictures(catalog)
        self.leases = Leases()
        self.settings = load_settings(catalog)
        self.outbox = Outbox(catalog.path, self._write, self._told)
        self.later: set[int] = set()
        self.auditing = AuditRun()
        self.imports = ImportRun()
        self.news: deque[tuple[float, Delivered]] = deque(maxlen=50)
        self._comparing: Comparing | None = None
        self._pairs: Pairs | None = None
        self._ahead: Ahead | None = None
        self._planting: Planting | None = None

    def start(self) -> None:
        """Begin with what takes long, in the background."""
        threading.Thread(target=self._begin, name="begin", daemon=True).start()

    def _begin(self) -> None:
        from retrieval.web.pairs import Pairs
        from retrieval.web.queue import (
            Ahead,  # what compares photos takes seconds to import
            Comparing,
            Planting,
        )

        self._pairs = Pairs(self.catalog, self.bench)
        self._comparing = Comparing(self.catalog, self.bench, lambda: self.settings.policy)
        self._ahead = Ahead(self._pairs, self.pictures, self.item, self.records.photos)
        self._planting = Planting(self.catalog, self.bench)
        self._comparing.start()
        self._ahead.start()
        if not self.options.read_only:
            self.outbox.start()

    def close(self) -> None:
        """End the work in the background; answers that wait stay on disk."""
        self.outbox.close()
        if self._ahead is not None:
            self._ahead.close()
        if self._comparing is not None:
            self._comparing.close()

    @property
    def pairs(self) -> Pairs | None:
        return self._pairs

    @property
    def snapshot(self) -> Snapshot | None:
        """What is known about the groups; None in the first moments."""
        return None if self._comparing is None else self._comparing.snapshot

    def refresh(self) -> None:
        """Somebody changed the catalogue."""
        if self._comparing is not None:
            self._comparing.refresh()

    def item(self, key: int) -> Item | None:
        """A group that waits, by any of its encounters."""
        snapshot = self.snapshot
        if snapshot is None:
            return None
        found = snapshot.items.get(key)
        return found or next((one for one in snapshot.items.values() if key in one.group.encounters), None)

    def queue(self, who: str, order: Order = Order.WORTH, *, set_aside: bool = False) -> list[Waiting]:
        """Groups that wait for this person, in order, or those that people have set aside because nobody could tell."""
        snapshot = self.snapshot
        if snapshot is None:
            return []
        waiting = [one.waiting for one in snapshot.items.values() if one.unsure is set_aside]
        if self.settings.blind:
            waiting = for_second_look(waiting, snapshot, proposals(self.catalog), who)
        held = {key for answer in self.outbox.waiting() for key in answer.encounters}
        waiting = [one for one in waiting if one.key not in held]
        return later_last(ranked(waiting, order, self.pace()), self.later)

    def looked(self, who: str, order: Order = Order.WORTH) -> list[Waiting]:
        """Those of the queue that want a look one by one; the others go as a grid."""
        return [one for one in self.queue(who, order) if pile_of(one) is not Pile.KNOWN]

    def pace(self) -> Pace:
        """Median seconds of a look, where people have given enough answers to know."""
        said = self.records.answer_seconds()
        seconds = dict(SECONDS)
        for pile, kinds in ((Pile.UNDECIDED, ("same", "unsure")), (Pile.PROBABLY_NEW, ("new",))):
            taken = [one for kind in kinds for one in said.get(kind, ())]
            if len(taken) >= SETTLED:
                seconds[pile] = max(0.5, statistics.median(taken))
        return Pace(seconds)

    def answer(self, answer: ReviewAnswer) -> Delivered:
        """Keep an answer and its effect, now or as soon as nobody else writes. Raises StorageFull."""
        if answer.said is Said.NOT or self._comparing is None:
            delivered = self.outbox.post(answer)
            self.refresh()
            return delivered
        self._comparing.took(answer.encounters)  # before the catalogue knows: whoever compares must not be quicker
        try:
            delivered = self.outbox.post(answer)
        except BaseException:
            self._comparing.gave_back(answer.encounters)
            raise
        if delivered.refused is not None:
            self._wait_again(answer.encounters)
        return delivered

    def _wait_again(self, encounters: Sequence[int]) -> None:
        """An answer was refused: its group waits again, unless it was refused because somebody else had decided it."""
        if self._comparing is None:
            return
        with self.catalog.reading() as session:
            sql = f"SELECT count(*) FROM encounters WHERE id IN ({several(encounters)}) AND turtle IS NOT NULL"
            decided = session.number(sql)
        if decided:
            self._comparing.refresh()
        else:
            self._comparing.gave_back(encounters)

    def undo(self, event: int, who: str) -> ChangeReport:
        """Take an event back; what it had decided waits again, or no longer where it was itself an undo.

        Raises
        ------
        Conflict, UnknownRecord, CatalogBusy
        """
        touched = encounters_of(self.catalog, self.browser, event)
        done = patiently(lambda: Curator(self.catalog, who).undo(event))
        if self._comparing is not None and settles_when_undone(self.catalog, event):
            self._comparing.took(touched)
        elif self._comparing is not None:
            self._comparing.gave_back(touched)
        return done

    def take_back(self, key: str, who: str) -> ChangeReport | None:
        """Take an answer back by its key; None where it still waited on disk, so that no event tells of it.

        Raises
        ------
        Conflict, UnknownRecord, CatalogBusy
        """
        withdrawn = self.outbox.withdraw(key)
        if withdrawn is None:
            event = answer_event(self.catalog, key)
            if event is None:
                raise UnknownRecord("that answer was refused, so there is nothing to take back.")
            return self.undo(event, who)
        if self._comparing is not None:
            self._comparing.gave_back(withdrawn.encounters)
        return None

    def _write(self, answer: ReviewAnswer) -> RecordedAnswer:
        blind = self.settings.blind and answer.said is not Said.NOT
        return record_blind_answer(self.catalog, answer) if blind else record_answer(self.catalog, answer)

    def _told(self, delivered: Delivered) -> None:
        self.news.append((time.time(), delivered))
        if delivered.refused is not None:
            self._wait_again(delivered.answer.encounters)
        self.refresh()

    @property
    def recipe(self) -> str | None:
        """Names all that decides a score; None before the engine is loaded."""
        return None if self.bench.engine is None else self.bench.engine.evidence

    def prefetch(self, keys: Sequence[int]) -> None:
        """Compare the first pairs of these groups, and read their photos, before anybody asks for them."""
        if self._ahead is not None:
            self._ahead.ask(keys)

    def planted(self, key: int) -> Item | None:
        """A planted pair as a group."""
        return None if self._planting is None else self._planting.item(key)

    def require_planted(self, key: int) -> Planted:
        """A planted pair with its truth. Raises UnknownRecord."""
        found = None if self._planting is None else self._planting.planted(key)
        if found is None:
            raise UnknownRecord("This planted pair was answered already.")
        return found

    def unplant(self, planted: Planted) -> None:
        """It was answered."""
        if self._planting is not None:
            self._planting.answered(planted)

    def next_planted(self, who: str) -> int | None:
        """A planted pair where it is time for one."""
        if self._planting is None or not self.settings.check_my_eye:
            return None
        return self._planting.due(who)

    def change_settings(self, settings: ReviewSettings) -> None:
        """Work on other terms from now on."""
        self.settings = settings
        self.refresh()


def patiently(change: Callable[[], Done], seconds: float = 5.0) -> Done:
    """Make a change as soon as nobody else writes, within a few seconds. Raises CatalogBusy after them."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return change()
        except CatalogBusy:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
