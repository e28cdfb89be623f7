from .catalog import Browser as Browser, Catalog as Catalog
from .curation import Curator as Curator
from .errors import TurtleidxError as TurtleidxError
from .types import GalleryFilter as GalleryFilter, Recipe as Recipe, Side as Side, Sighting as Sighting
