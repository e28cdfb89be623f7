from .backbone import Backbone as Backbone, Levels as Levels
from .decoding import coverage as coverage, heads_in as heads_in, iou as iou
from .finder import Finding as Finding, FoundHead as FoundHead, HeadFinder as HeadFinder
from .locating import (
    LOOKED_AT as LOOKED_AT,
    MARGIN as MARGIN,
    SAMPLING as SAMPLING,
    Locator as Locator,
    sure_heads as sure_heads,
)
from .masks import Segmenter as Segmenter, masked as masked
from .network import (
    CELL as CELL,
    HeadNetwork as HeadNetwork,
    Predictions as Predictions,
    mirrored as mirrored,
)
from .prompted import PROMPTED as PROMPTED, PromptedFinder as PromptedFinder, list_prompted as list_prompted
from .segment_anything import (
    SEGMENTERS as SEGMENTERS,
    SegmentAnything as SegmentAnything,
    list_segmenters as list_segmenters,
)
from .small_finder import (
    SmallHeadFinder as SmallHeadFinder,
    averaged as averaged,
    list_finders as list_finders,
    read_finder as read_finder,
    resized as resized,
    size_for as size_for,
)
