"""A controller's thread: it sees what happened in a store, and is idle once it has dealt with all of it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.apiserver.calls import Core
    from playground.apiserver.store import Event

RETRY_SECONDS = 0.5
BATCH_SECONDS = 0.01  # what is written together is handled together


class Loop(ABC):
    """Handles the events of some kinds in batches, on one thread. What is put into `undone` comes again later."""

    def __init__(self, core: Core, name: str) -> None:
        """Nothing runs before `start`."""
        self.core = core
        self.store = core.store
        self.undone: list[Event] = []
        self._name = name
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._seen = 0

    @property
    @abstractmethod
    def watched(self) -> Sequence[str]:
        """The kinds whose events are handled, in the order in which a batch has them."""

    @abstractmethod
    def handle(self, events: Sequence[Event]) -> None:
        """Do what a batch of events asks for."""

    def start(self) -> None:
        """Begin to work, on what happened before too."""
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._is_stopping = True
        with self.store.changed:
            self.store.changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def is_idle(self) -> bool:
        """Tell whether nothing is left to do. Call it with `store.changed` held."""
        return self._seen == self.store.revision and not self.undone

    def _run(self) -> None:
        while not self._is_stopping:
            events, revision = self._wait()
            self.handle(events)
            with self.store.changed:
                self._seen = revision
                self.store.changed.notify_all()

    def _wait(self) -> tuple[list[Event], int]:
        """Return what happened since the last round, waiting for it if nothing did."""
        with self.store.changed:
            self.store.changed.wait_for(
                lambda: self._is_stopping or self._seen != self.store.revision,
                RETRY_SECONDS if self.undone else None,
            )
        self.core.stopping.wait(BATCH_SECONDS)
        with self.store.changed:
            events, self.undone = self.undone, []
            for kind in self.watched:
                events += self.store.events_after(kind, self._seen, is_running=True)
            return events, self.store.revision
