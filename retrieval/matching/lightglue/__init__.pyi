from .checkpoints import load_matcher as load_matcher
from .published import PUBLISHED as PUBLISHED, id_without_network as id_without_network, list_weights as list_weights
