from .copying import copy_records as copy_records, damaged_records as damaged_records
from .pair_cache import PairCache as PairCache
from .store import FeatureStore as FeatureStore
