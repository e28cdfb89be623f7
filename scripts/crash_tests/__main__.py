"""Many random kills: scripts/crash_test [--kills 200] [--seed 0]."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from crash_tests.kills import crash


def main() -> int:
    """Run the trial; the last line is its result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = crash(options.kills, options.seed, Path(scratch))
    for loss in result.losses:
        print(loss)
    for operation, count in sorted(result.operations.items()):
        print(f"  {operation:<16}{count:>6} acknowledged")
    print(json.dumps({"kills": result.kills, "inconsistencies": len(result.losses)}))
    return 1 if result.losses else 0


if __name__ == "__main__":
    sys.exit(main())
