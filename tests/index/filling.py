"""A process that enrolls until the disk is full, played by a limit on how large any file may become.

Run as: python -m tests.index.filling CATALOG MORE_BYTES
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from index.catalog import Catalog
from index.errors import StorageFull
from tests.index.making import photo


def main(folder: str, more: str) -> None:
    """Print how many batches of eight were enrolled before the disk was full, and what was said."""
    catalog = Catalog.open(Path(folder))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max(path.stat().st_size for path in Path(folder).rglob("*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + int(more), resource.RLIM_INFINITY))
    for batch in range(100):
        try:
            catalog.enroll([photo(seed, "T001") for seed in range(8 * batch, 8 * batch + 8)], "Ana")
        except StorageFull as error:
            print(batch, error)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
