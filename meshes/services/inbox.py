"""Between the threads that hear and the one that writes: bounded by bytes, gathered for a moment."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")
MOST_BYTES = 32 * 1024 * 1024
GATHER_SECONDS = 0.025
MOST_AT_ONCE = 200


class Inbox(Generic[T]):
    """Any number of threads put, one takes. Whoever puts waits while more than MOST_BYTES lie here."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._size = 0
        self._is_closed = False
        self._taken_at = 0.0
        self._changed = threading.Condition()

    def put(self, item: T, size: int = 0) -> bool:
        """False: it is closed, and nothing was put."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._size <= MOST_BYTES)
            if self._is_closed:
                return False
            self._items.append((item, size))
            self._size += size
            self._changed.notify_all()
        return True

    def take(self, timeout: float) -> list[T]:
        """What comes within `timeout`, at most 200: at once, but never twice within 25 ms.

        So who asks for one thing waits for nothing, and of many what came while the first was written is written
        together.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._items, timeout)
            if self._items:
                end = self._taken_at + GATHER_SECONDS
                while len(self._items) < MOST_AT_ONCE and self._changed.wait(max(0.0, end - time.monotonic())):
                    continue
                self._taken_at = time.monotonic()
            taken = [self._items.popleft() for _ in range(min(len(self._items), MOST_AT_ONCE))]
            self._size -= sum(size for _, size in taken)
            self._changed.notify_all()
        return [item for item, _ in taken]

    def wake(self) -> None:
        """Let `take` look around now."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is taken in any more; whoever waits goes on."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
