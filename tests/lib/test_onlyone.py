"""meshui/lib/onlyone.py: one process per SQLite file."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meshui.lib.errors import UnavailableError
from meshui.lib.onlyone import only_process_on

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import pathlib, sys
from meshui.lib.onlyone import only_process_on
with only_process_on(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_process_on__another_holds_it__refused_with_its_pid_until_it_dies(tmp_path: Path) -> None:
    database = tmp_path / "data" / "meshui.sqlite3"
    env = os.environ | {"PYTHONPATH": os.getcwd()}  # noqa: PTH109 - of the child
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(UnavailableError, match=rf"process {holder.pid}\b"), only_process_on(database):
            pass
        holder.kill()
        holder.wait(10)

        with only_process_on(database):
            assert database.with_name("meshui.sqlite3.lock").read_text() == str(os.getpid())
