from .connecting import intake_on as intake_on, require_ray as require_ray, sharded_gallery as sharded_gallery
from .serving import ServingOptions as ServingOptions, serving as serving
from .shard_worker import ShardWorker as ShardWorker
from .sharded_gallery import ShardedGallery as ShardedGallery
