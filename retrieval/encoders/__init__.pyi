from .encoder import Encoder as Encoder, SiftBeside as SiftBeside
from .lite0 import LITE0 as LITE0, load_lite0 as load_lite0
from .timm_encoder import TimmEncoder as TimmEncoder, encoder_licence as encoder_licence, list_encoders as list_encoders
from .visual_words import WORDS_ID as WORDS_ID, WordEncoder as WordEncoder
from .vlad import BUNDLED as BUNDLED, VladEncoder as VladEncoder
