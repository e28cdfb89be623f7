from .descriptor_similarity import DescriptorSimilarity as DescriptorSimilarity
from .fit_model import (
    FitReport as FitReport,
    fit as fit,
    fit_is_due as fit_is_due,
    learn as learn,
    would_learn_less as would_learn_less,
)
from .fusion import calibrated as calibrated
from .pair_confidences import (
    Cascade as Cascade,
    Wanted as Wanted,
    verified_pairs_of as verified_pairs_of,
)
from .trial_scores import (
    BUDGET as BUDGET,
    TrialScores as TrialScores,
    run_trials as run_trials,
)
