from .comparing import Comparing as Comparing, Item as Item, Snapshot as Snapshot
from .evidence import evidence_text as evidence_text
from .leases import Leases as Leases
from .order import (
    SECONDS as SECONDS,
    Order as Order,
    Pace as Pace,
    Pile as Pile,
    Waiting as Waiting,
    later_last as later_last,
    pile_of as pile_of,
    ranked as ranked,
)
from .outbox import Delivered as Delivered, Outbox as Outbox
from .photo_records import records_of as records_of
from .planting import Planted as Planted, Planting as Planting
from .prefetch import Ahead as Ahead
from .second_looks import for_second_look as for_second_look, record_blind_answer as record_blind_answer
from .views import (
    ItemView as ItemView,
    best_pair as best_pair,
    item_record as item_record,
    item_view as item_view,
    photo_record as photo_record,
)
