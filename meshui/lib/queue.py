"""The doorbell. The domain row is the queue: a message carries an id and means "look now"; losing it costs latency.

Embedded (no broker): messages go to the worker thread of this process, if one runs. Else to Celery.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import close_old_connections, transaction
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from meshui.celery import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

log = logging.getLogger(__name__)
_messages: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()


def enqueue(task: str, pk: UUID | int | str = "") -> None:
    """Ring `task` (a dotted path) for the row `pk` once this transaction is committed; never fails the caller."""
    transaction.on_commit(lambda: _ring(task, str(pk)))


def _ring(task: str, pk: str) -> None:
    if not settings.BROKER_URL:
        _messages.put((task, pk))
        return
    try:
        app.send_task(task, args=[pk] if pk else [], ignore_result=True, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("The doorbell for %s did not ring (%s); the sweep will find the row.", task, error)


class EmbeddedWorker:
    """One thread that runs what is rung and the periodic table; the same task functions as under Celery."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meshui-worker", daemon=True)
        self._due = dict.fromkeys(settings.PERIODIC, 0.0)

    def start(self) -> None:
        """Begin; call once."""
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the task in hand and end; False work is left to the next start, nothing is lost."""
        self._stop.set()
        _messages.put(("", ""))
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._run_due()
            try:
                task, pk = _messages.get(timeout=0.2)
            except queue.Empty:
                continue
            if task:
                run_task(task, pk)

    def _run_due(self) -> None:
        moment = time.monotonic()
        for task, due in self._due.items():
            if due <= moment:
                self._due[task] = moment + settings.PERIODIC[task]
                run_task(task)


def run_task(task: str, pk: str = "") -> None:
    """Call the task function here and now. A fault is logged with its trace and ends only this task, as in a worker."""
    close_old_connections()
    function: Callable[..., object] = import_string(task)
    try:
        function(*([pk] if pk else []))
    except Exception:
        log.exception("Task %s(%s) failed; its row stays due.", task, pk)
    finally:
        close_old_connections()


def drain() -> int:
    """Run everything rung so far, also what that rings, in this thread; how many. For tests and commands."""
    count = 0
    while True:
        try:
            task, pk = _messages.get_nowait()
        except queue.Empty:
            return count
        if task:
            run_task(task, pk)
            count += 1
