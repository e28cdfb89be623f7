from .auditing import audit as audit
from .clustering import Group as Group, Link as Link, cluster_encounters as cluster_encounters
from .findings import Finding as Finding
