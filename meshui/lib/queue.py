"""The doorbell. The domain row is the queue: a message carries an id and means "look now"; losing it costs latency.

Embedded (no broker): messages go to the worker thread of this process, if one runs. Else to Celery.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import close_old_connections, transaction
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from meshui.celery import app
from meshui.lib.crash import crashpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

log = logging.getLogger(__name__)
_messages: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()


def enqueue(task: str, pk: UUID | int | str = "") -> None:
    """Ring `task` (a dotted path) for the row `pk` once this transaction is committed; never fails the caller."""
    transaction.on_commit(lambda: _ring(task, str(pk)))


def _ring(task: str, pk: str) -> None:
    crashpoint("after_commit")
    if not settings.BROKER_URL:
        _messages.put((task, pk))
        return
    try:
        app.send_task(task, args=[pk] if pk else [], ignore_result=True, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("The doorbell for %s did not ring (%s); the sweep will find the row.", task, error)


class EmbeddedWorker:
    """Runs what is rung and the periodic table in threads of this process; the same task functions as under Celery.

    One thread hands out; each lane of settings.LANES has threads of its own, so that what waits for a slow cluster
    holds up nothing of another lane, and little of its own. A task that is in its lane already is not put there twice.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meshui-worker", daemon=True)
        self._due = dict.fromkeys(settings.PERIODIC, 0.0)
        self._lanes = {
            prefix: ThreadPoolExecutor(count, thread_name_prefix="meshui-lane")
            for prefix, count in settings.LANES.items()
        }
        self._waiting: set[tuple[str, str]] = set()
        self._guard = threading.Lock()

    def start(self) -> None:
        """Begin; call once."""
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the task in hand and end; False work is left to the next start, nothing is lost."""
        self._stop.set()
        _messages.put(("", ""))
        end = time.monotonic() + timeout
        self._thread.join(timeout)
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)
        for thread in [t for t in threading.enumerate() if t.name.startswith("meshui-lane")]:
            thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            self._run_due()
            try:
                task, pk = _messages.get(timeout=0.2)
            except queue.Empty:
                continue
            if task:
                self._hand_out(task, pk)

    def _hand_out(self, task: str, pk: str = "") -> None:
        """Into the lane of the longest prefix that fits; without one it is run here and now."""
        fitting = [prefix for prefix in self._lanes if task.startswith(prefix)]
        if not fitting:
            run_task(task, pk)
            return
        with self._guard:
            if (task, pk) in self._waiting:
                return
            self._waiting.add((task, pk))
        self._lanes[max(fitting, key=len)].submit(self._do, task, pk)

    def _do(self, task: str, pk: str) -> None:
        with self._guard:
            self._waiting.discard((task, pk))  # a bell from now on means: look once more
        run_task(task, pk)

    def _run_due(self) -> None:
        moment = time.monotonic()
        for task, due in self._due.items():
            if due <= moment:
                self._due[task] = moment + settings.PERIODIC[task]
                self._hand_out(task)


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
