from .dry_run import Foreseen as Foreseen, Outcome as Outcome, foresee as foresee
from .earlier_readers import Outdated as Outdated, mark_alike as mark_alike, outdated as outdated
from .enrollment import (
    BATCH as BATCH,
    Prepare as Prepare,
    PreparedBatch as PreparedBatch,
    SortedOut as SortedOut,
    digests_of as digests_of,
    enroll as enroll,
    prepared as prepared,
    sorted_out as sorted_out,
)
from .heads import (
    FINDER as FINDER,
    NO_MASKS as NO_MASKS,
    OWN as OWN,
    HeadsReport as HeadsReport,
    draw_box as draw_box,
    find_heads as find_heads,
    finder_of as finder_of,
    masks_of as masks_of,
    own_finder as own_finder,
    remember_finder as remember_finder,
    remember_heads as remember_heads,
    remember_masks as remember_masks,
    remembered_heads as remembered_heads,
)
from .occasions import Occasions as Occasions
from .reindexing import (
    ReindexReport as ReindexReport,
    foresee_reindex as foresee_reindex,
    lost_originals as lost_originals,
    original as original,
    reindex as reindex,
)
