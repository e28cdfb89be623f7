from .figures import Evaluation as Evaluation, worst_errors as worst_errors
from .methods import (
    Method as Method,
    enroll_gallery as enroll_gallery,
    fit_methods as fit_methods,
    methods_of as methods_of,
    stored_methods as stored_methods,
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
    compare_methods as compare_methods,
    evaluate as evaluate,
    groups_of as groups_of,
    picture as picture,
)
