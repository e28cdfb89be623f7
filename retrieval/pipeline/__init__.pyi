from .drift import (
    drift_of as drift_of,
    outgrown as outgrown,
    prior_of as prior_of,
    recent_score as recent_score,
    remember as remember,
)
from .encounters import identify_encounter as identify_encounter, unanswered_together as unanswered_together
from .galleries import ComparedShortlist as ComparedShortlist, Gallery as Gallery, OwnGallery as OwnGallery
from .identification import identify as identify, read_query as read_query, unanswered as unanswered
from .intake import (
    BATCH as BATCH,
    FINDER as FINDER,
    NO_MASKS as NO_MASKS,
    OWN as OWN,
    Foreseen as Foreseen,
    HeadsReport as HeadsReport,
    Outcome as Outcome,
    Outdated as Outdated,
    Prepare as Prepare,
    PreparedBatch as PreparedBatch,
    ReindexReport as ReindexReport,
    SortedOut as SortedOut,
    digests_of as digests_of,
    draw_box as draw_box,
    enroll as enroll,
    find_heads as find_heads,
    finder_of as finder_of,
    foresee as foresee,
    foresee_reindex as foresee_reindex,
    lost_originals as lost_originals,
    mark_alike as mark_alike,
    masks_of as masks_of,
    original as original,
    outdated as outdated,
    own_finder as own_finder,
    prepared as prepared,
    reindex as reindex,
    remember_finder as remember_finder,
    remember_heads as remember_heads,
    remember_masks as remember_masks,
    remembered_heads as remembered_heads,
    sorted_out as sorted_out,
)
from .kept_queries import enroll_kept as enroll_kept, keep as keep
from .local_processes import LookProcesses as LookProcesses, look_processes as look_processes
from .next_steps import (
    next_for_catalog as next_for_catalog,
    next_for_encounter as next_for_encounter,
    next_step as next_step,
)
from .other_side import (
    OPPOSITE as OPPOSITE,
    other_side_reason as other_side_reason,
    says_no_more_than_new as says_no_more_than_new,
)
from .pair_pool import (
    Comparing as Comparing,
    Confidences as Confidences,
    PairBatch as PairBatch,
    PairPool as PairPool,
    compared as compared,
    extractors_beside as extractors_beside,
)
from .pictures import compared_picture as compared_picture, described as described, picture as picture
from .queries import (
    Answer as Answer,
    AnsweredEncounter as AnsweredEncounter,
    AskedEncounter as AskedEncounter,
    FollowUp as FollowUp,
    answer as answer,
    answer_encounters as answer_encounters,
    by_encounter as by_encounter,
)
from .results import (
    Coverage as Coverage,
    EncounterAnswer as EncounterAnswer,
    EnrollReport as EnrollReport,
    Identification as Identification,
    OtherSide as OtherSide,
)
