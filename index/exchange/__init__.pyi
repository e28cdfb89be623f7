from .catalog_differences import Difference as Difference
from .catalog_join import JoinReport as JoinReport, join as join
from .darwin_core import export_darwin_core as export_darwin_core, is_own_archive as is_own_archive
from .manifest import (
    Manifest as Manifest,
    ManifestRow as ManifestRow,
    RefusedRow as RefusedRow,
    read_manifest as read_manifest,
    read_roles as read_roles,
)
from .mark_recapture import (
    Period as Period,
    capture_histories as capture_histories,
    is_histories as is_histories,
    write_histories as write_histories,
    years as years,
)
from .near_ids import NearIds as NearIds, difference as difference
from .retelling import (
    PhotoChange as PhotoChange,
    change_differences as change_differences,
    said_anew as said_anew,
    take_over as take_over,
)
from .shared_names import NameConflict as NameConflict, SharedPhotos as SharedPhotos
from .table_export import (
    COARSE_DEGREES as COARSE_DEGREES,
    export_table as export_table,
    harmless as harmless,
    is_export as is_export,
)
from .table_import import import_table as import_table
from .tables import (
    DateOrder as DateOrder,
    checked_day as checked_day,
    improbable as improbable,
    is_nothing as is_nothing,
    normal as normal,
    parse_date as parse_date,
    parse_side as parse_side,
)
