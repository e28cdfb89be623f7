from .inputs import (
    Question as Question,
    count_photos as count_photos,
    from_manifest as from_manifest,
    from_paths as from_paths,
    questions as questions,
    sightings_in as sightings_in,
    why_none as why_none,
)
from .match_plot import Panel as Panel, Pixels as Pixels, match_picture as match_picture
from .originals import find_originals as find_originals
from .photos import (
    LoadedPhoto as LoadedPhoto,
    check_ending as check_ending,
    decode as decode,
    file_sha256 as file_sha256,
    jpeg as jpeg,
    load_photo as load_photo,
    quality as quality,
    save as save,
)
