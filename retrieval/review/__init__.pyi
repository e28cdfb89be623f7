from .auditing import Audit as Audit, audit as audit
from .clustering import cluster_encounters as cluster_encounters, resolve as resolve
from .groups import Group as Group, Link as Link
from .neighbours import PhotoNeighbours as PhotoNeighbours, named as named, neighbours_of as neighbours_of
from .other_side import with_other_side as with_other_side
from .pair_scores import PairScorer as PairScorer, candidates_of as candidates_of
from .pictures import finding_picture as finding_picture, group_picture as group_picture
from .same_id import SameId as SameId, same_ids as same_ids
from .suspicions import LEAST as LEAST, Finding as Finding, Kind as Kind
