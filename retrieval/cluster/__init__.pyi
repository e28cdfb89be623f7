from .connecting import (
    cluster_gallery as cluster_gallery,
    greeted as greeted,
    intake_on as intake_on,
    pairs_on as pairs_on,
    require_ray as require_ray,
)
from .pair_tasks import PairTasks as PairTasks
from .ray_workers import RayWorkers as RayWorkers, connected as connected
from .serving import ServingOptions as ServingOptions, serve_gallery as serve_gallery
from .shard_worker import ShardWorker as ShardWorker
from .sharded_gallery import ShardedGallery as ShardedGallery
