from .auditing import Audit as Audit, audit as audit
from .clustering import Group as Group, Link as Link, cluster_encounters as cluster_encounters
from .pictures import finding_picture as finding_picture
from .same_id import SameId as SameId, same_ids as same_ids
from .suspicions import LEAST as LEAST, Finding as Finding, Kind as Kind
