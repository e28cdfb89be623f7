from .engine import Each as Each, Engine as Engine, Extracted as Extracted, ReadPhoto as ReadPhoto
from .options import (
    LACKING as LACKING,
    LIGHT as LIGHT,
    NEAREST as NEAREST,
    EngineOptions as EngineOptions,
    working_side as working_side,
)
from .published_weights import fetch_weights as fetch_weights, licences as licences
