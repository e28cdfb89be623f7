from .colours import flattened as flattened, in_srgb as in_srgb
from .containers import RAW_ENDINGS as RAW_ENDINGS, exif_block as exif_block, without_metadata as without_metadata
from .dates import Taken as Taken, changed_on as changed_on, taken as taken
from .exif import Exif as Exif, read_exif as read_exif
from .opening import MAX_PIXELS as MAX_PIXELS, Opened as Opened, open_photo as open_photo
