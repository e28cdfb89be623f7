from .descriptor_similarity import DescriptorSimilarity as DescriptorSimilarity
from .fit_model import (
    BUDGET as BUDGET,
    FitReport as FitReport,
    TrialScores as TrialScores,
    fit as fit,
    fit_is_due as fit_is_due,
    learn as learn,
    run_trials as run_trials,
)
from .fusion import calibrated as calibrated
from .pair_confidences import (
    Cascade as Cascade,
    Wanted as Wanted,
    verified_pairs_of as verified_pairs_of,
)
