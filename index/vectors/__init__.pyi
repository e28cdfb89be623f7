from .footer import (
    checksum_of as checksum_of,
    damaged_file as damaged_file,
    footer_of as footer_of,
    write_footer as write_footer,
)
from .index import FRESH_SHARE as FRESH_SHARE, Neighbours as Neighbours, VectorIndex as VectorIndex
from .index_file import read_depths as read_depths, read_footer as read_footer
from .search_params import (
    LADDER as LADDER,
    UNSAVED_FEWEST as UNSAVED_FEWEST,
    UNSAVED_SHARE_CODED as UNSAVED_SHARE_CODED,
    SearchParams as SearchParams,
    probes as probes,
)
from .selection import Selection as Selection
