from .answers import (
    Proposal as Proposal,
    RecordedAnswer as RecordedAnswer,
    Rejection as Rejection,
    ReviewAnswer as ReviewAnswer,
    Said as Said,
    Unsure as Unsure,
    answer_event as answer_event,
    answer_seconds as answer_seconds,
    checks as checks,
    proposals as proposals,
    propose_answer as propose_answer,
    record_answer as record_answer,
    record_check as record_check,
    rejections as rejections,
    ruled_out_turtles as ruled_out_turtles,
    unsure_groups as unsure_groups,
)
from .curator import Curator as Curator
from .decisions import DecidedQuery as DecidedQuery, Decisions as Decisions, head_asked_about as head_asked_about
from .occasions import names_with_nobody as names_with_nobody, names_with_turtle as names_with_turtle
from .reviews import Reviewed as Reviewed, dismiss as dismiss, reviewed as reviewed
from .score_log import RecentScore as RecentScore, recent_scores as recent_scores, remember_scores as remember_scores
