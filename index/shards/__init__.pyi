from .checking import ShardCheck as ShardCheck, check_shards as check_shards
from .manifest import ShardManifest as ShardManifest
from .shard import Shard as Shard
from .sharded_index import Held as Held, ShardedIndex as ShardedIndex, Shards as Shards
from .sharding import (
    ShardingReport as ShardingReport,
    restore_features as restore_features,
    shard_catalog as shard_catalog,
)
