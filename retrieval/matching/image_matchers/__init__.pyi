from .detector_free import DetectorFreeMatcher as DetectorFreeMatcher, PairNetwork as PairNetwork
from .embedding import EmbeddingMatcher as EmbeddingMatcher
from .loftr import LOFTR_FILES as LOFTR_FILES, load_loftr as load_loftr
from .loma import load_loma as load_loma
from .other_keypoints import OtherKeypoints as OtherKeypoints
from .wildfusion import LogisticCalibration as LogisticCalibration, WildFusionMatcher as WildFusionMatcher
