from .arrays import (
    Bool as Bool,
    Descriptor as Descriptor,
    Float32 as Float32,
    Float64 as Float64,
    Int32 as Int32,
    Int64 as Int64,
    Pixels as Pixels,
    UInt8 as UInt8,
)
from .features import (
    MATCH_THRESHOLD as MATCH_THRESHOLD,
    MIN_KEYPOINTS as MIN_KEYPOINTS,
    LocalFeatures as LocalFeatures,
    Matches as Matches,
    PhotoSource as PhotoSource,
    Recipe as Recipe,
)
from .photos import (
    Checkpoint as Checkpoint,
    EnrollOutcome as EnrollOutcome,
    Kept as Kept,
    Occasion as Occasion,
    Photo as Photo,
    Refusal as Refusal,
)
from .progress import Progress as Progress
from .search import GalleryFilter as GalleryFilter, Owners as Owners, Shortlist as Shortlist
from .sightings import (
    SAME_HEAD as SAME_HEAD,
    BoxOrigin as BoxOrigin,
    HeadBox as HeadBox,
    PreparedPhoto as PreparedPhoto,
    Side as Side,
    Sighting as Sighting,
    same_head as same_head,
    sighting_key as sighting_key,
)
