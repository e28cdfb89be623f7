from .cascade import (
    FIRST_STAGE as FIRST_STAGE,
    RerankRecipe as RerankRecipe,
    cascaded as cascaded,
    choose_first_stage as choose_first_stage,
    compare as compare,
    first_stage as first_stage,
    rerank as rerank,
    strength as strength,
    strongest as strongest,
    verified as verified,
    verifying as verifying,
)
from .deferred import DeferredMatcher as DeferredMatcher
from .experts import TwoExperts as TwoExperts
from .fusion import NEIGHBOURS as NEIGHBOURS, BlendedMatcher as BlendedMatcher
from .match_places import places as places
from .matcher import Compare as Compare, Matcher as Matcher, ReadsBeside as ReadsBeside
from .nearest import NearestNeighbourMatcher as NearestNeighbourMatcher
from .verification import Verification as Verification
from .views import (
    VIEWED as VIEWED,
    ViewedFirstStage as ViewedFirstStage,
    ViewedMatcher as ViewedMatcher,
    ViewedNeighbours as ViewedNeighbours,
    views_beside as views_beside,
)
