from .auditing import audit as audit
from .clustering import Group as Group, Link as Link, discover as discover
from .findings import Finding as Finding
from .same_id import SameId as SameId, same_ids as same_ids
