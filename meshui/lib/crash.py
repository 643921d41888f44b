"""Named crash points: tests kill the process exactly here; production refuses to start with one armed."""

from __future__ import annotations

import os
import signal

ENV = "MESHUI_CRASHPOINT"
_seen: dict[str, int] = {}


def crashpoint(name: str) -> None:
    """Do nothing, unless MESHUI_CRASHPOINT=`name`:SIGNAL:NTH names this point: then send SIGNAL at the NTH pass."""
    armed = os.environ.get(ENV)
    if not armed:
        return
    point, signal_name, nth = armed.split(":")
    if point != name:
        return
    _seen[name] = _seen.get(name, 0) + 1
    if _seen[name] == int(nth):
        os.kill(os.getpid(), signal.Signals[signal_name])
