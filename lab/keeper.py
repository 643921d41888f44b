"""The process that cleans up after a lab, however the lab's own process ended (SIGKILL too).

It is started as `python keeper.py FOLDER` with a pipe on standard input, and leads the process group that every server
of the lab joins. The pipe closes when the lab ends: the kernel does that even for a killed process. Then the keeper
ends by pid whatever is left in its group, removes the folder and goes. Standard library only; Linux.
"""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

_BOUND_SECONDS = 20.0


def group_members(group: int) -> list[int]:
    """The pids of the living processes in process group `group`."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_in(entry, group)]


def _is_in(entry: Path, group: int) -> bool:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return False
    state, member_of = fields[0], int(fields[2])
    return state != "Z" and member_of == group


def _end(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def end_servers() -> None:
    """End everything else in our process group and wait until it is gone."""
    deadline = time.monotonic() + _BOUND_SECONDS
    never = threading.Event()
    while time.monotonic() < deadline:
        left = [pid for pid in group_members(os.getpgrp()) if pid != os.getpid()]
        if not left:
            return
        _end(left)
        never.wait(0.02)


def _leave(*_: object) -> None:
    sys.exit(0)


def main(folder: str) -> None:
    """Wait for the lab to end, then leave nothing of it behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        sys.stdin.buffer.read()
    finally:
        end_servers()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
