from .database import (
    Registry as Registry,
    Transaction as Transaction,
    descriptor_bytes as descriptor_bytes,
    pack_descriptor as pack_descriptor,
    unpack_descriptors as unpack_descriptors,
)
from .integrity import broken_rules as broken_rules, builders_on as builders_on
from .journal import (
    look_back as look_back,
    newest_standing as newest_standing,
    refuse_for as refuse_for,
    undone as undone,
    undone_by as undone_by,
)
from .past_rows import PastRows as PastRows
from .photo_lookup import find_photo as find_photo
from .placement import (
    Placement as Placement,
    Together as Together,
    place_photos as place_photos,
    relative_to as relative_to,
)
from .queries import (
    BY_DAY as BY_DAY,
    QUERY_KEY as QUERY_KEY,
    count_without as count_without,
    read_encounters as read_encounters,
    read_events as read_events,
    read_models as read_models,
    read_records as read_records,
    read_setting as read_setting,
    read_sides as read_sides,
    read_turtles as read_turtles,
    several as several,
)
from .records import (
    Answer as Answer,
    CatalogSummary as CatalogSummary,
    Change as Change,
    ChangeReport as ChangeReport,
    Decision as Decision,
    Encounter as Encounter,
    Event as Event,
    KeptQuery as KeptQuery,
    PhotoRecord as PhotoRecord,
    StoredModel as StoredModel,
    Turtle as Turtle,
    TurtleStatus as TurtleStatus,
)
from .schema import MIGRATIONS as MIGRATIONS, SIGHTINGS as SIGHTINGS
from .session import Session as Session
from .subjects import EventSubject as EventSubject, event_subjects as event_subjects
from .turtle_names import former_turtle as former_turtle, meant_id as meant_id, unknown_turtle as unknown_turtle
