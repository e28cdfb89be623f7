from .pair_cache import PairCache as PairCache
from .store import FeatureStore as FeatureStore
