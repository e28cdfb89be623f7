from .backup import is_backup as is_backup, restore_backup as restore_backup, write_backup as write_backup
from .browser import Browser as Browser, Page as Page, TurtleOrder as TurtleOrder
from .catalog import Catalog as Catalog
from .gallery import read_photos as read_photos
from .maintenance import check_catalog as check_catalog, compact_catalog as compact_catalog
from .model_files import MODELS as MODELS, keep_model as keep_model
from .originals import sampled_originals as sampled_originals
from .page_folders import (
    INCOMING as INCOMING,
    OUTBOX as OUTBOX,
    PHOTOS as PHOTOS,
    UNREADABLE as UNREADABLE,
)
from .reindex import Reindexing as Reindexing
from .summary import Undated as Undated
