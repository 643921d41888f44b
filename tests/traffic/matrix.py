"""What the tests of the failure matrix share: turns of the worker, writes counted, the invariant of every row."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from django.db import connections

from audit.ledger import verify_chain
from meshui.lib.queue import drain, run_task
from traffic.models import Attempt, Lease
from traffic.types import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.cluster import EmulatedCluster


def settle() -> None:
    """What is due by now is done: one sweep and all that it rings."""
    run_task("traffic.tasks.sweep")
    drain()


def swept(met: Callable[[], bool]) -> Callable[[], bool]:
    """`met`, asked after a sweep and all that it rings."""

    def is_met() -> bool:
        settle()
        return met()

    return is_met


def side_by_side(*acts: Callable[[], object]) -> list[BaseException]:
    """Each in a thread of its own, let go at one moment; what they raised."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            gate.wait(10)
            act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        ended = [pool.submit(run, act) for act in acts]
    return [error for each in ended if (error := each.exception()) is not None]


def sent(cluster: EmulatedCluster) -> int:
    """How many writes were asked for, dry runs left out."""
    ours = [r for r in cluster.server.requests if "meshui" in r.user_agent.lower() and "dryRun" not in r.query]
    return len([r for r in ours if r.method in {"PATCH", "POST", "DELETE"} and "reviews" not in r.path])


def generation(cluster: EmulatedCluster) -> int:
    """Of shop/checkout's route."""
    return int(cluster.get("VirtualService", "checkout", "shop")["metadata"]["generation"])


def assert_invariant() -> None:
    """Chain, intents with one outcome each, nothing leased past its change's end (§10)."""
    assert verify_chain().is_intact
    assert all(hasattr(attempt, "outcome") for attempt in Attempt.objects.select_related("outcome"))
    assert not Lease.objects.filter(change__state__in=TERMINAL).exists()
