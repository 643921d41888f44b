"""P9: from an event of a watch to the sockets of 50 viewers: through the row, the bus and the hub.

Clusters are emulated in one process, MeshUI with its watches and streams is another, the viewers are here. A viewer
has heard of an event with the first line that was told after its row was committed: who asks then, sees it.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Final

from django.conf import settings

from bench.emulated import serve_events
from bench.people import database_version, registered, signed_in
from bench.places import process, spin
from bench.rounds import Contender, Goal, Row, p95, take_turns
from bench.watched import serve
from clusters.models import Cluster
from meshes.models import Sync
from meshes.services import sync_cluster
from meshui.lib.clock import db_now
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from bench.rounds import Asked, Figures, Report
    from bench.watched import Version

    Moved = list[tuple[str, int, float]]
    Heard = list[tuple[str, float]]

N: Final = 300
EVENTS: Final = 100
EACH_SECOND: Final = 20.0
VIEWERS: Final = 50
QUIET_SECONDS: Final = 3.0
"""What nobody has heard of so long after the last event is lost."""
NEVER: Final = 2**63
KIND: Final = "virtualservices.networking.istio.io"
GOAL: Final = Goal("p95", 0.1)
BUSY: Final = Goal("p95", 3.0)
NOT_BUSY: Final = "all CPUs are kept busy only where it is asked for: --busy"


class Wire:
    """Sends events in at one end, and listens at the other."""

    def __init__(self, cluster: Connection, server: Connection, sessions: Sequence[str], events: int) -> None:
        self._cluster, self._server, self._sessions, self._events = cluster, server, sessions, events
        self._port = int(server.recv())

    def calm(self) -> Figures:
        """One turn: p95 of all events to all viewers (s), how many were not heard of, CPU seconds of the server."""
        return asyncio.run(self._turn())

    def busy(self) -> Figures:
        """The same, while every CPU has something else to do."""
        with ExitStack() as ends:
            for _ in range(os.cpu_count() or 1):
                ends.enter_context(process(spin))
            return self.calm()

    async def _turn(self) -> Figures:
        heard: list[Heard] = [[] for _ in self._sessions]
        readers = await asyncio.gather(*map(self._open, self._sessions, heard))
        _, _, before = await self._ask()
        self._cluster.send(self._events)
        moved: Moved = await asyncio.to_thread(self._cluster.recv)
        end = time.perf_counter() + QUIET_SECONDS
        committed, told, cpu = await self._ask()
        lags, lost = judged(moved, heard, committed, told)
        while lost and time.perf_counter() < end:
            await asyncio.sleep(0.05)
            committed, told, cpu = await self._ask()
            lags, lost = judged(moved, heard, committed, told)
        for writer, task in readers:
            task.cancel()
            writer.close()
        return {"p95": p95(lags) if lags else QUIET_SECONDS, "lost": lost, "told": len(lags), "cpu": cpu - before}

    async def _ask(self) -> tuple[list[Version], dict[str, int], float]:
        self._server.send("ask")
        committed, told, cpu = await asyncio.to_thread(self._server.recv)
        return committed, told, cpu

    async def _open(self, session: str, heard: Heard) -> tuple[asyncio.StreamWriter, asyncio.Task[None]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
        head = f"GET /live/clusters/ HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nCookie: {cookie}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"event: hello")
        return writer, asyncio.create_task(_listen(reader, heard))


async def _listen(reader: asyncio.StreamReader, heard: Heard) -> None:
    token = ""
    while line := await reader.readline():
        if line.startswith(b"id: "):
            token = line.decode().strip().rpartition(":")[2]
        elif line.startswith(b"event: state"):
            heard.append((token, time.perf_counter()))


def judged(
    moved: Moved, heard: Sequence[Heard], committed: Sequence[Version], told: Mapping[str, int]
) -> tuple[list[float], int]:
    """The lags (s) of what was heard of, event by event and viewer by viewer, and how many were not.

    `committed`: names and versions in their order; `told`: of each token how many were committed when it was told.
    """
    places: dict[str, list[tuple[int, int]]] = {}
    for place, (name, version) in enumerate(committed, 1):
        places.setdefault(name, []).append((version, place))
    lags: list[float] = []
    for name, version, began in moved:
        place = next((at for known, at in places.get(name, ()) if known >= version), NEVER)
        for one in heard:
            moments = (moment for token, moment in one if told.get(token, 0) >= place)
            lags += [moment - began for moment in islice(moments, 1)]
    return lags, len(moved) * len(heard) - len(lags)


def measure(asked: Asked, report: Report, _: Path) -> None:
    """Measure P9 and tell of it."""
    services = asked.n or N
    events = min(EVENTS, services)
    facts = {"n": services, "viewers": VIEWERS, "events": events, "each_second": EACH_SECOND, "db": database_version()}
    row = Row("P9", f"event to the sockets of {VIEWERS} viewers, {EACH_SECOND:g} a second", facts)
    sessions = signed_in(VIEWERS)
    with process(serve_events, services, EACH_SECOND) as cluster:
        added = registered(cluster.recv())
        Cluster.objects.filter(pk=added.pk).update(next_sync_at=db_now())
        if not sync_cluster(added.pk):
            raise SystemExit("The cluster could not be read.")
        with process(serve) as server:
            wire = Wire(cluster, server, sessions, events)
            watched = Sync.objects.filter(resource=KIND, watched_since__isnull=False)
            wait_until(watched.exists, seconds=60, what="the watch of routes")
            calm, busy = Contender("MeshUI", wire.calm), Contender("MeshUI, all CPUs busy", wire.busy)
            turns = [calm, busy] if asked.is_busy else [calm]
            rounds = take_turns(turns, asked.rounds)
    report.judge(row, rounds, calm, GOAL, none_of="lost")
    if asked.is_busy:
        report.compare(row, rounds, busy, calm, BUSY)
    else:
        report.skip(row, busy.name, NOT_BUSY)
