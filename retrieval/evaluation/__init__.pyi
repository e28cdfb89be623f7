from .figures import Evaluation as Evaluation, worst_errors as worst_errors
from .methods import (
    Entrant as Entrant,
    enroll_gallery as enroll_gallery,
    entrants as entrants,
    fitted_contenders as fitted_contenders,
    stored_contenders as stored_contenders,
)
from .metrics import ErrorRate as ErrorRate
from .protocol import (
    Protocol as Protocol,
    from_rows as from_rows,
    has_gallery as has_gallery,
    leave_one_out as leave_one_out,
    since as since,
)
from .report import Material as Material, WorstError as WorstError, write_report as write_report
from .run import (
    Comparison as Comparison,
    FittedMethod as FittedMethod,
    compete as compete,
    groups_of as groups_of,
    picture as picture,
)
