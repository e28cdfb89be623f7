from .confidences import (
    PairConfidences as PairConfidences,
    count_matches as count_matches,
    pair_confidences as pair_confidences,
)
from .normalization import TNorm as TNorm
from .pair_scoring import PairScoring as PairScoring
from .ranking import Candidate as Candidate, Pair as Pair, first_of_each as first_of_each, rank as rank
from .score import Score as Score
from .serialization import model_json as model_json, model_record as model_record, read_model as read_model
from .wasserstein import (
    ConfidenceNull as ConfidenceNull,
    best_first as best_first,
    no_null as no_null,
    score_pairs as score_pairs,
)
from .znorm import ZNorm as ZNorm
