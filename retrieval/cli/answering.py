"""The answers of `turtleidx query`, one by one: kept, drawn and told as they were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.catalog import Browser, Catalog
from index.errors import PhotoUnreadable
from index.exchange import RefusedRow
from retrieval import schemas
from retrieval.cli import options, printing
from retrieval.cli.common import retired_owners
from retrieval.cli.options import Sorting
from retrieval.cli.printing import Form
from retrieval.engine import Engine
from retrieval.images import Question
from retrieval.novelty import MODEL, DecisionPolicy, Verdict
from retrieval.pipeline import (
    Answer,
    AnsweredEncounter,
    AskedEncounter,
    EncounterAnswer,
    FollowUp,
    Gallery,
    Identification,
    answer,
    answer_encounters,
    by_encounter,
    drift_of,
    keep,
    outgrown,
    prior_of,
    recent_score,
    remember,
    unanswered,
    unanswered_together,
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What shall be done with answers besides telling them.

    Photos are compared in the `gallery`, else in the catalogue's folder.

    Attributes
    ----------
    pictures : mapping
        A file for the match picture of each question, by the `id` of the question: several may be about one photo.
    """

    who: str
    policy: DecisionPolicy
    follow_up: FollowUp
    keep: bool
    pictures: Mapping[int, Path]
    gallery: Gallery | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """One answer with the numbers under which its queries were kept, and sentences that follow it on standard error.

    Attributes
    ----------
    not_enrolled : int
        Photos that a person confirmed and that cannot be compared.
    """

    answer: Answer | AnsweredEncounter
    kept: tuple[int, ...]
    remarks: tuple[str, ...] = ()
    not_enrolled: int = 0

    @property
    def photos(self) -> tuple[Identification, ...]:
        """The photos' own answers."""
        one = self.answer
        return (one.identification,) if isinstance(one, Answer) else one.found.photos

    @property
    def found(self) -> Identification | EncounterAnswer:
        """What is said about all of them."""
        return self.answer.identification if isinstance(self.answer, Answer) else self.answer.found

    @property
    def refused(self) -> int:
        """How many photos could not be used, or not enrolled as was confirmed."""
        return sum(one.verdict is Verdict.REFUSED for one in self.photos) + self.not_enrolled


@dataclass(frozen=True, slots=True)
class Telling:
    """How answers are told: as JSON or CSV, all about each or a line, as they come or sorted."""

    form: Form
    top: int
    full: bool
    sort: Sorting | None

    def tell(self, answers: Iterable[Told]) -> int:
        """Print them; gives how many photos were refused.

        Those that are told together are told even if a later photo stops the command: what was enrolled stays enrolled.
        """
        if self.sort is None and self.form is not Form.CSV:
            return self._tell(answers)
        there: list[Told] = []
        try:
            there.extend(answers)
        finally:
            refused = self._tell(sorted(there, key=self._place))
        return refused

    def _tell(self, answers: Iterable[Told]) -> int:
        verdicts, refused, rows = Counter[Verdict](), 0, []
        remarks: list[str] = []
        for one in answers:
            verdicts[one.found.verdict] += 1
            refused += one.refused
            if self.form is Form.JSON:
                printing.print_json(_record(one, self.top))
            elif self.form is Form.CSV:
                rows.append(schemas.answer_row(one.answer, one.kept))
                remarks += one.remarks
                continue
            else:
                printing.print_told(one.answer, self.top, one.kept, full=self.full)
            _say(one.remarks)
        if self.form is Form.CSV:
            printing.print_records(rows, schemas.ANSWERS, Form.CSV)
            _say(remarks)
        elif self.form is Form.TABLE and verdicts.total() > 1:
            printing.print_summary(verdicts)
        return refused

    def _place(self, one: Told) -> tuple[object, ...]:
        if self.sort is Sorting.VERDICT:
            return (list(Verdict).index(one.found.verdict), one.found.turtle or "")
        if self.sort is Sorting.P_NEW:
            p_new = one.found.prediction.p_new
            return (p_new is None, -(p_new or 0.0))
        return (one.photos[0].photo if self.sort is Sorting.PHOTO else "",)


def _say(remarks: Iterable[str]) -> None:
    for sentence in remarks:
        printing.say(sentence)


def answered_photos(
    catalog: Catalog, engine: Engine | None, asked: Sequence[Question | RefusedRow], wishes: Wishes
) -> Iterator[Told]:
    """Each photo alone; without an engine, why none of them can be used."""
    if engine is None:
        yield from (Told(_unreadable(one), ()) for one in asked if isinstance(one, RefusedRow))
        return
    scores = []
    for one in answer(catalog, asked, engine, wishes.who, wishes.policy, wishes.follow_up, wishes.gallery):
        scores.append(recent_score(one.identification))
        yield _finished(catalog, engine, one, [one], wishes)
    remember(catalog, scores, engine.evidence)


def answered_encounters(
    catalog: Catalog, engine: Engine | None, asked: Sequence[Question | RefusedRow], wishes: Wishes
) -> Iterator[Told]:
    """Photos of one encounter together; without an engine, why none of them can be used."""
    together = by_encounter(asked)
    if engine is None:
        for each in together:
            refused = tuple(_unreadable(one).identification for one in each.photos if isinstance(one, RefusedRow))
            yield Told(AnsweredEncounter(each, unanswered_together(each.name, refused)), ())
        return
    for one in answer_encounters(
        catalog, together, engine, wishes.who, wishes.policy, wishes.follow_up, wishes.gallery
    ):
        yield _finished(catalog, engine, one, _alone(one.asked, one), wishes)
        known_by = next((photo.query.sha256 for photo in one.found.photos if photo.query.sha256), None)
        scores = [recent_score(photo, f"encounter of {known_by}") for photo in one.found.photos]
        remember(catalog, scores, engine.evidence)


def _alone(asked: AskedEncounter, one: AnsweredEncounter) -> list[Answer]:
    return [
        Answer(question, found, None if found.query.prepared is None else one.enrolled_as)
        for question, found in zip(asked.photos, one.found.photos, strict=True)
    ]


def _unreadable(row: RefusedRow) -> Answer:
    return Answer(row, unanswered(row.photo, PhotoUnreadable(row.reason), None))


def _finished(
    catalog: Catalog, engine: Engine, one: Answer | AnsweredEncounter, photos: Sequence[Answer], wishes: Wishes
) -> Told:
    """Keep and draw what was asked for, and say what became of the photos."""
    kept: list[int] = []
    remarks: list[str] = []
    for alone in photos if wishes.keep else ():
        evidence = schemas.evidence_record(alone, engine.evidence, catalog.model(MODEL, engine.evidence), wishes.policy)
        if isinstance(one, AnsweredEncounter):
            evidence = evidence | {"encounter": schemas.prediction_record(one.found.prediction, 0)}
        query = keep(catalog, alone, evidence, wishes.who)
        kept += [query.id] if query else []
    for alone in photos:
        if id(alone.question) in wishes.pictures:
            remarks += _plot(catalog, engine, alone, wishes.pictures[id(alone.question)])
    if one.enrolled_as:
        digests = [alone.identification.query.sha256 for alone in photos if alone.identification.query.sha256]
        remarks += retired_owners(catalog, [photo.id for photo in catalog.enrolled(digests).values()])
        remarks += _moves(catalog, one.moved_from, one.enrolled_as)
    told = Told(one, tuple(kept), tuple(remarks))
    return told if wishes.follow_up.confirm is None else _with_left_out(told)


def _with_left_out(told: Told) -> Told:
    """The photos that were confirmed and cannot be enrolled are named, unless their refusal is the answer."""
    if told.found.verdict is Verdict.REFUSED:
        return told
    left_out = [one for one in told.photos if one.query.prepared is None]
    sentences = [f"{one.photo} was not enrolled: {one.reason}" for one in left_out]
    readable = sum(one.verdict is not Verdict.REFUSED for one in left_out)
    return replace(told, remarks=(*told.remarks, *sentences), not_enrolled=readable)


def _moves(catalog: Catalog, before: Sequence[str], now: str) -> Iterator[str]:
    for name in before:
        left = Browser(catalog).turtle(name).photos
        empty = "" if left else f", which has no photo left: `turtleidx turtles merge {now} {name}` if it was a mistake"
        yield f"Moved to {now} from {name}{empty}."


def _plot(catalog: Catalog, engine: Engine, one: Answer, target: Path) -> Sequence[str]:
    """Draw one picture; what is said of it."""
    from retrieval.images import save_match_picture
    from retrieval.pipeline import picture

    if isinstance(one.question, RefusedRow):
        return ()
    pixels = picture(catalog, engine, one.identification)
    if pixels is None:
        return (f"There is no match to draw for {one.identification.photo}.",)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_match_picture(pixels, target)
    return (f"Match picture: {target}",)


def _record(told: Told, top: int) -> dict[str, object]:
    one = told.answer
    if isinstance(one, AnsweredEncounter):
        return schemas.encounter_answer_record(one, top) | ({"kept_as": list(told.kept)} if told.kept else {})
    record = schemas.identification_record(one.identification, top) | {"enrolled_as": one.enrolled_as}
    record |= {"moved_from": list(one.moved_from)}
    if told.kept:
        record["kept_as"] = told.kept[0]
    return record | ({"manifest": dict(one.question.columns)} if one.question.columns else {})


def prior_for(catalog: Catalog, engine: Engine, wanted: str) -> float:
    """The prior as a number; one that is learnt is told on standard error."""
    if wanted != options.AUTO:
        return float(wanted)
    learnt = prior_of(catalog, engine.evidence)
    printing.say(learnt.sentence)
    return learnt.share


def warn_of_the_model(catalog: Catalog, engine: Engine) -> None:
    """Say on standard error when the model no longer fits: recent photos score otherwise, or the gallery has grown."""
    drift, grown = drift_of(catalog, engine.evidence), outgrown(catalog, engine.evidence)
    for sentence in (None if drift is None else drift.sentence, grown):
        if sentence is not None:
            printing.say(sentence)
