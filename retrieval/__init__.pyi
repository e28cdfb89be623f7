from .engine import Engine as Engine, EngineOptions as EngineOptions
from .evaluation import evaluate as evaluate
from .fitting import fit as fit
from .images import sightings_in as sightings_in
from .novelty import (
    CatalogModel as CatalogModel,
    DecisionPolicy as DecisionPolicy,
    Rates as Rates,
    Verdict as Verdict,
)
from .pipeline import enroll as enroll, identify as identify, identify_encounter as identify_encounter
from .review import audit as audit, cluster_encounters as cluster_encounters
