from .checkpoints import (
    load_matcher as load_matcher,
    load_network as load_network,
    network_bytes as network_bytes,
)
from .matcher import LightGlueMatcher as LightGlueMatcher
from .network import Assignment as Assignment, LightGlue as LightGlue
from .pairs import assign_pairs as assign_pairs
from .published import (
    DEFAULT as DEFAULT,
    PUBLISHED as PUBLISHED,
    id_without_network as id_without_network,
    list_weights as list_weights,
)
