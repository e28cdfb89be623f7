from .engine import Each as Each, Engine as Engine, Extracted as Extracted
from .factory import NEAREST as NEAREST, EngineOptions as EngineOptions, licences as licences
