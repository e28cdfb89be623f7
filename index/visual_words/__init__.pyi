from .codebook import Codebook as Codebook
from .index import VotingIndex as VotingIndex
from .inverted_file import VotePart as VotePart
from .signature import SLOT_BYTES as SLOT_BYTES, packed as packed
