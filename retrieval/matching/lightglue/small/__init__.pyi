from .files import load_small_matcher as load_small_matcher
from .matcher import SmallMatcher as SmallMatcher
from .network import SmallNetwork as SmallNetwork
