from .answers import (
    print_answer as print_answer,
    print_encounter as print_encounter,
    print_enrolment as print_enrolment,
    print_fit as print_fit,
    print_summary as print_summary,
    print_told as print_told,
)
from .evaluation import print_evaluation as print_evaluation
from .intake import print_foreseen as print_foreseen
from .page import print_opened as print_opened
from .registry import (
    Form as Form,
    print_changes as print_changes,
    print_done as print_done,
    print_encounters as print_encounters,
    print_history as print_history,
    print_join as print_join,
    print_pairs as print_pairs,
    print_record as print_record,
    print_records as print_records,
    print_weights as print_weights,
)
from .review import print_audit as print_audit, print_finding as print_finding, print_group as print_group
from .terminal import (
    out as out,
    print_json as print_json,
    progress_bar as progress_bar,
    replace_unprintable as replace_unprintable,
    say as say,
)
