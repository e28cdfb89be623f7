"""A process that enrolls photos and is killed the moment a named step is reached.

Run as: python -m tests.index.dying CATALOG STEP FIRST_SEED COUNT
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from index.catalog.catalog import Catalog
from tests.index.making import photo


def main(folder: str, fatal: str, first: str, count: str) -> None:
    """Enroll `count` photos; the process does not survive the step."""

    def on_step(step: str) -> None:
        if step == fatal:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    catalog = Catalog.open(Path(folder), on_step)
    catalog.enroll([photo(seed, "T001") for seed in range(int(first), int(first) + int(count))], "Ana")


if __name__ == "__main__":
    main(*sys.argv[1:])
