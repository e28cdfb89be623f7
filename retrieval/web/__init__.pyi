from .application import application as application
from .desk import Desk as Desk, ReviewOptions as ReviewOptions
from .server import Opened as Opened, serve as serve
