from .advice import DECIDED as DECIDED, NO_ADVICE as NO_ADVICE, Advice as Advice, advise as advise
from .calibration import Occasion as Occasion, Searched as Searched
from .catalog_model import (
    MODEL as MODEL,
    CatalogModel as CatalogModel,
    Prediction as Prediction,
    explained as explained,
    posterior_of as posterior_of,
)
from .conformal import Rates as Rates
from .decision import DecisionPolicy as DecisionPolicy, Verdict as Verdict, decide as decide
from .expectation import Expectation as Expectation, expect as expect
from .likelihood import LikelihoodRatio as LikelihoodRatio
from .model import REPLICATES as REPLICATES, NoveltyModel as NoveltyModel
from .posterior import Candidates as Candidates, Posterior as Posterior, fuse as fuse
from .samples import GenuineScores as GenuineScores, ImpostorMaxima as ImpostorMaxima, TooSmall as TooSmall
