"""The cyclic collector, quiet while much is decoded at once: it would walk all that is held again and again.

Whether it runs is a switch of the process, which threads share: so it is counted.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = 20
_lock = threading.Lock()
_quiet = 0


@contextmanager
def quiet_collector() -> Iterator[None]:
    """No collection in this process until the last of those who asked for it is done. Where there is none, none."""
    global _quiet  # noqa: PLW0603 - the switch is the process's own
    with _lock:
        if not _quiet and not gc.isenabled():
            is_ours = False
        else:
            is_ours = True
            _quiet += 1
            gc.disable()
    try:
        yield
    finally:
        with _lock:
            _quiet -= is_ours
            if is_ours and not _quiet:
                gc.enable()


def collect_sometimes(turn: int) -> None:
    """At every twentieth turn: what came since the last one, and only that."""
    if turn % EVERY == EVERY - 1:
        gc.collect(0)
