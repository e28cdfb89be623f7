from .answers import (
    ANSWERS as ANSWERS,
    answer_row as answer_row,
    candidate_records as candidate_records,
    coverage_record as coverage_record,
    encounter_answer_record as encounter_answer_record,
    evidence_record as evidence_record,
    identification_record as identification_record,
    prediction_record as prediction_record,
)
from .evaluation import evaluation_record as evaluation_record
from .plain_names import encoder_name as encoder_name, extractor_name as extractor_name, matcher_name as matcher_name
from .registry import (
    DIFFERENCES as DIFFERENCES,
    ENCOUNTERS as ENCOUNTERS,
    EVENTS as EVENTS,
    PHOTOS as PHOTOS,
    QUERIES as QUERIES,
    TURTLES as TURTLES,
    Kind as Kind,
    Record as Record,
    cell_text as cell_text,
    change_contents as change_contents,
    change_name as change_name,
    change_record as change_record,
    difference_record as difference_record,
    encounter_record as encounter_record,
    event_record as event_record,
    join_record as join_record,
    photo_record as photo_record,
    query_record as query_record,
    summary_record as summary_record,
    summary_rows as summary_rows,
    turtle_record as turtle_record,
)
from .review import (
    TOP as TOP,
    finding_record as finding_record,
    group_record as group_record,
    next_for_group as next_for_group,
    repair as repair,
)
