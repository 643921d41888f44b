"""1,000 streams of live data in one process, an event a second for all of them; beside it Django's own way to stream.

Each is served by uvicorn in a process of its own, the readers are here. Printed are the lag, the CPU and the memory of
the server. The peer reads neither sessions nor rights and keeps no positions: it does less.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management import call_command

from bench.people import signed_in
from bench.streams import serve
from clusters.models import Cluster
from meshui.lib.clock import now

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

EVENTS = 20


async def _read(port: int, session: str, heard: list[float]) -> asyncio.StreamWriter:
    """One reader: the time of each event it is told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    writer.write(f"GET /live/clusters/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
    await writer.drain()
    await reader.readuntil(b"event: hello")

    async def listen() -> None:
        while line := await reader.readline():
            if line.startswith(b"event: state"):
                heard.append(time.perf_counter())

    writer.listening = asyncio.create_task(listen())  # type: ignore[attr-defined]
    return writer


async def _measure(name: str, pipe: Connection, sessions: list[str], key: str) -> dict[str, object]:
    port = pipe.recv()
    heard: list[list[float]] = [[] for _ in sessions]
    began = time.perf_counter()
    writers = []
    for start in range(0, len(sessions), 50):
        some = zip(sessions[start : start + 50], heard[start : start + 50], strict=True)
        writers += await asyncio.gather(*(_read(port, session, times) for session, times in some))
    opened = time.perf_counter() - began
    lags: list[float] = []
    start_at = time.perf_counter()
    for number in range(EVENTS):
        before = [len(times) for times in heard]
        rung = time.perf_counter()
        pipe.send(key)
        await asyncio.sleep(max(0.0, start_at + number + 1 - time.perf_counter()))
        lags += [times[had] - rung for times, had in zip(heard, before, strict=True) if len(times) > had]
    seconds = time.perf_counter() - start_at
    pipe.send("end")
    cpu, memory = pipe.recv()
    for writer in writers:
        writer.listening.cancel()
        writer.close()
    cuts = statistics.quantiles(lags, n=100)
    return {
        "what": name, "streams": len(sessions),
        "opened_s": round(opened, 1), "told": f"{len(lags)}/{EVENTS * len(sessions)}",
        "lag_p50_ms": round(cuts[49] * 1000, 1), "lag_p99_ms": round(cuts[98] * 1000, 1),
        "cpu_percent": round(100 * cpu / seconds, 1), "memory_mb": round(memory),
    }  # fmt: skip


def measure(streams: int) -> None:
    """Print a line for MeshUI and a line for its peer."""
    call_command("migrate", interactive=False, verbosity=0)
    sessions, key = signed_in(streams), _cluster()
    context = multiprocessing.get_context("spawn")
    for name, is_peer in (("MeshUI", False), ("StreamingHttpResponse", True)):
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(theirs,), kwargs={"is_peer": is_peer}, daemon=True)
        server.start()
        print(json.dumps(asyncio.run(_measure(name, ours, sessions, key))))
        server.join(20)
        if server.is_alive():
            server.kill()


def _cluster() -> str:
    row = Cluster.objects.create(
        slug="bench", name="bench", environment="staging", server="https://x", created_at=now()
    )
    return str(row.pk)
