from .backup import is_backup as is_backup, restore_backup as restore_backup, write_backup as write_backup
from .browser import Browser as Browser, Page as Page, TurtleOrder as TurtleOrder
from .catalog import Catalog as Catalog
from .gallery import read_checkpoint as read_checkpoint, read_photos as read_photos
from .maintenance import check_catalog as check_catalog, compact_catalog as compact_catalog
from .networks import (
    MODELS as MODELS,
    keep_network as keep_network,
    network_of as network_of,
    store_network as store_network,
)
from .originals import sampled_originals as sampled_originals
from .page_folders import (
    INCOMING as INCOMING,
    OUTBOX as OUTBOX,
    PHOTOS as PHOTOS,
    UNREADABLE as UNREADABLE,
)
from .readings import (
    MOVE_HEAD as MOVE_HEAD,
    SET_HEAD as SET_HEAD,
    WAITING as WAITING,
    bring_readings_back as bring_readings_back,
    replace_readings as replace_readings,
)
from .reindex import Reindexing as Reindexing
from .search import GalleryIndex as GalleryIndex
from .summary import Undated as Undated
