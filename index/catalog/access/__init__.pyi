from .creation import drafting as drafting
from .earlier_schema import bring_up_to_date as bring_up_to_date
from .syncing import refuse_half_synced as refuse_half_synced, second_copies as second_copies
from .writer_lock import WriterLock as WriterLock
