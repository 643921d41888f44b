"""The guard of performance.md: nobody opens a connection while a transaction of the database is open.

A transaction holds locks that others wait for; a cluster that does not answer would make all of them wait as long.
"""

from __future__ import annotations

import socket
import traceback
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    import pytest


class NetworkInTransactionError(AssertionError):
    """A connection was opened inside a transaction."""


def is_in_transaction() -> bool:
    """Whether the code under test has a transaction open in this thread; that of the test case itself is none."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def watch_sockets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuse connections inside a transaction. The stacks of those that were, for an error that somebody swallows."""
    found: list[str] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and is_in_transaction():
            found.append("".join(traceback.format_stack(limit=15)))
            raise NetworkInTransactionError(f"A connection to {address} inside a transaction.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    return found
