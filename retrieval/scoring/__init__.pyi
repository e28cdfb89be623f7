from .confidences import PairConfidences as PairConfidences, pair_confidences as pair_confidences
from .normalization import TNorm as TNorm
from .ranking import Candidate as Candidate, Pair as Pair, rank as rank
from .serialization import dump_model as dump_model, load_model as load_model
from .wasserstein import (
    ConfidenceNull as ConfidenceNull,
    Score as Score,
    best_first as best_first,
    no_null as no_null,
    score_pairs as score_pairs,
)
