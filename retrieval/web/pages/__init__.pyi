from .addresses import CHANGED as CHANGED, SHOWN as SHOWN
from .imports import uploading as uploading
