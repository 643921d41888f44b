"""Waiting for a condition with an upper bound: the lab never just sleeps."""

import threading
import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.05


def until(is_met: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Return once `is_met()` is true. Raises TimeoutError that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    never = threading.Event()
    while not is_met():
        if time.monotonic() > deadline:
            raise TimeoutError(f"The lab waited {seconds:.0f} s in vain for: {what}")
        never.wait(_PAUSE_SECONDS)
