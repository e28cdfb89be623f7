from .checkpoints import PUBLISHED as PUBLISHED, list_weights as list_weights, load_matcher as load_matcher
