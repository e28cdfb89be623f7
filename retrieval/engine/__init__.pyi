from .engine import Each as Each, Engine as Engine, Extracted as Extracted
from .factory import (
    LACKING as LACKING,
    NEAREST as NEAREST,
    EngineOptions as EngineOptions,
    fetch_weights as fetch_weights,
    licences as licences,
)
