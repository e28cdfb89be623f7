from .correspondence import (
    LinkedPoints as LinkedPoints,
    apart as apart,
    fitted_affine as fitted_affine,
    laid_over as laid_over,
    linked_points as linked_points,
)
from .earlier import EarlierReading as EarlierReading, earlier_reading as earlier_reading
from .files import FileDigests as FileDigests, file_digests as file_digests, file_sha256 as file_sha256
from .folders import EXTENSIONS as EXTENSIONS, Passed as Passed
from .formats import Taken as Taken
from .glances import Glance as Glance, glance as glance
from .inputs import (
    Question as Question,
    count_photos as count_photos,
    from_manifest as from_manifest,
    from_paths as from_paths,
    lookalike_sentence as lookalike_sentence,
    questions as questions,
    sightings_in as sightings_in,
    silent as silent,
    why_none as why_none,
    without_lookalikes as without_lookalikes,
)
from .match_plot import Heading as Heading, Panel as Panel, match_picture as match_picture
from .originals import find_originals as find_originals, original_pixels as original_pixels
from .photos import READER as READER, LoadedPhoto as LoadedPhoto, load_photo as load_photo
from .pictures import (
    check_ending as check_ending,
    decode as decode,
    is_match_picture as is_match_picture,
    jpeg as jpeg,
    quality as quality,
    save as save,
    save_match_picture as save_match_picture,
    turn_of as turn_of,
)
