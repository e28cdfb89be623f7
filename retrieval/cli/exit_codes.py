"""Exit codes of `turtleidx`, as scripts may rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """0 is done, whatever the verdict; 2 is wrong usage, which typer tells."""

    NOTHING_DONE = 1
    """With a sentence on standard error."""
    SOME_REFUSED = 3
    """Done, but some photos were refused, or problems remain."""
    INTERRUPTED = 130
