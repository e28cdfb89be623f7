"""Blind review: two people look at each group without seeing one another's answer, and a third where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from index.catalog import Catalog
from index.curation import (
    Proposal,
    RecordedAnswer,
    ReviewAnswer,
    answer_event,
    proposals,
    propose_answer,
    record_answer,
)
from index.errors import Conflict
from retrieval.web.queue.order import Waiting

if TYPE_CHECKING:
    from retrieval.web.queue.comparing import Snapshot  # what compares photos takes seconds to import


def record_blind_answer(catalog: Catalog, answer: ReviewAnswer) -> RecordedAnswer:
    """Decide a group where this is its second equal answer or breaks a tie, else keep the answer as a proposal.

    Raises
    ------
    Conflict
        This person has answered the group already, otherwise than by sending this very answer once more.
    """
    earlier = [one for one in proposals(catalog) if one.encounters == frozenset(answer.encounters)]
    again = answer_event(catalog, answer.key) is not None
    if not again and answer.who in {one.who for one in earlier}:
        raise Conflict("You have answered this group; somebody else has to look at it too.")
    said = {(one.said, one.turtle) for one in earlier}
    settles = (answer.said, answer.turtle) in said or len(said) > 1
    return record_answer(catalog, answer) if settles else propose_answer(catalog, answer)


def for_second_look(
    waiting: Sequence[Waiting], snapshot: Snapshot, proposed: Sequence[Proposal], who: str
) -> list[Waiting]:
    """What this person has not answered; what two others answered differently is disputed."""
    kept = []
    for one in waiting:
        encounters = frozenset(snapshot.items[one.key].group.encounters)
        said = {(each.said, each.turtle) for each in proposed if each.encounters == encounters}
        if not any(each.encounters == encounters and each.who == who for each in proposed):
            kept.append(replace(one, disputed=len(said) > 1))
    return kept
