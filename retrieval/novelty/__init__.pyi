from .catalog_model import (
    MODEL as MODEL,
    CatalogModel as CatalogModel,
    Prediction as Prediction,
    explained as explained,
    posterior_of as posterior_of,
)
from .conformal import Rates as Rates
from .decision import DecisionPolicy as DecisionPolicy, Verdict as Verdict, decide as decide
from .likelihood import LikelihoodRatio as LikelihoodRatio
from .model import REPLICATES as REPLICATES, NoveltyModel as NoveltyModel
from .posterior import Candidates as Candidates, Posterior as Posterior, fuse as fuse
from .samples import GenuineScores as GenuineScores, ImpostorMaxima as ImpostorMaxima, TooSmall as TooSmall
