"""meshui/lib/crash.py: dies exactly where it was told, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
from meshui.lib.crash import crashpoint
for step in range(3):
    crashpoint("before")
    crashpoint("after")
    print(step, flush=True)
"""


def run_armed(armed: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"MESHUI_CRASHPOINT": armed, "PYTHONPATH": os.getcwd()}  # noqa: PTH109 - of the child
    return subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("armed", "printed", "code"),
    [
        ("before:SIGKILL:2", "0\n", -signal.SIGKILL),
        ("after:SIGTERM:1", "", -signal.SIGTERM),
        ("elsewhere:SIGKILL:1", "0\n1\n2\n", 0),
        ("before:SIGKILL:4", "0\n1\n2\n", 0),
        ("", "0\n1\n2\n", 0),
    ],
)
def test_crashpoint__armed__dies_at_the_nth_pass_of_that_name(armed: str, printed: str, code: int) -> None:
    done = run_armed(armed)

    assert (done.stdout, done.returncode) == (printed, code)
