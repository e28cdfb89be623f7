from .auditing import audit as audit
from .clustering import (
    Group as Group,
    Link as Link,
    cluster_encounters as cluster_encounters,
    resolve as resolve,
)
from .findings import Finding as Finding
from .neighbours import PhotoNeighbours as PhotoNeighbours, named as named, neighbours_of as neighbours_of
from .pair_scores import PairScorer as PairScorer, candidates_of as candidates_of
