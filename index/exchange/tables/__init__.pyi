from .columns import (
    BOX_COLUMNS as BOX_COLUMNS,
    KNOWN_COLUMNS as KNOWN_COLUMNS,
    TEXT_COLUMNS as TEXT_COLUMNS,
    is_error as is_error,
    is_nothing as is_nothing,
    meant as meant,
    normal as normal,
    recognised as recognised,
)
from .dates import (
    DateOrder as DateOrder,
    checked_day as checked_day,
    improbable as improbable,
    is_reset_day as is_reset_day,
    parse_date as parse_date,
)
from .reader import (
    Table as Table,
    TableRow as TableRow,
    Writing as Writing,
    open_table as open_table,
)
from .sides import parse_side as parse_side
