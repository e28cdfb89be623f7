from .extractor import Extractor as Extractor, Found as Found
from .learned import (
    EXTRACTOR_SPECS as EXTRACTOR_SPECS,
    LearnedExtractor as LearnedExtractor,
    list_extractors as list_extractors,
)
from .sift import SiftExtractor as SiftExtractor, one_core_a_photo as one_core_a_photo, rootsift as rootsift
from .turning import turned as turned, turned_back as turned_back, upright as upright
from .views import VIEWS as VIEWS, pixels_of as pixels_of, views_of as views_of, with_views as with_views
