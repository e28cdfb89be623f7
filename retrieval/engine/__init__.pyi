from .engine import Each as Each, Engine as Engine, Extracted as Extracted
from .factory import (
    NEAREST as NEAREST,
    EngineOptions as EngineOptions,
    licences as licences,
    load_engine as load_engine,
    with_matcher as with_matcher,
)
