"""What is said when a process ends without a chance to say it, and is not said otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from retrieval.cluster.last_words import last_words
with last_words("The cluster is gone."):
    {ending}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix matters")
@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("pass", ""),
        ("sys.exit(3)", ""),
        ("os._exit(1)", "The cluster is gone.\n"),
        (f"os.kill(os.getpid(), {int(signal.SIGKILL)})", "The cluster is gone.\n"),
    ],
)
def test_they_are_said_if_nobody_left_in_order(ending: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(ending=ending)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", said)
