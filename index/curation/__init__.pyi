from .curator import Curator as Curator
from .decisions import DecidedQuery as DecidedQuery, Decisions as Decisions
from .reviews import Reviewed as Reviewed, dismiss as dismiss, reviewed as reviewed
from .score_log import RecentScore as RecentScore, recent_scores as recent_scores, remember_scores as remember_scores
