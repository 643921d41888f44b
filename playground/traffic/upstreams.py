"""The applications behind the pods: one small server for each, with the latency and the errors of its version."""

from __future__ import annotations

import asyncio
import math
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_SECONDS = 30.0
SPREAD = 0.35  # sigma of the logarithm of a latency: p95 is about 1.8 times the median


@dataclass(slots=True)
class Profile:
    """How a version behaves: its median latency in milliseconds and the share of its answers that are 503."""

    latency_ms: float = 0.0
    error_percent: float = 0.0

    def seconds(self) -> float:
        """A latency by chance."""
        if not self.latency_ms:
            return 0.0
        return min(LONGEST_SECONDS, self.latency_ms / 1000 * math.exp(random.gauss(0, SPREAD)))

    def fails(self) -> bool:
        """Whether this time it fails, by chance."""
        return random.random() * 100 < self.error_percent  # noqa: S311 - nothing secret


class _Upstream:
    """The server of one pod."""

    def __init__(self, pod: str, profile: Profile) -> None:
        self._pod, self._profile = pod, profile
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._open):
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request of a connection; asyncio switches Nagle's algorithm off, and each answer is one write."""
        self._open.add(writer)
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await self._answer(writer)
        self._open.discard(writer)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        seconds = self._profile.seconds()
        if seconds:
            await asyncio.sleep(seconds)
        status = "503 Service Unavailable" if self._profile.fails() else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nx-served-by: {self._pod}\r\ncontent-length: 3\r\n\r\nok\n".encode())
        await writer.drain()


class Upstreams:
    """A server on 127.0.0.1 for each pod, all in one event loop."""

    def __init__(self) -> None:
        """Nothing listens yet."""
        self._profiles: dict[str, Profile] = {}
        self._servers: dict[str, _Upstream] = {}
        self._ports: dict[str, int] = {}

    def profile(self, workload: str) -> Profile:
        """The profile of `namespace/workload`."""
        return self._profiles.setdefault(workload, Profile())

    async def serve(self, pods: Mapping[str, str]) -> dict[str, int]:
        """Let exactly these pods (key to `namespace/workload`) listen; return their ports."""
        for key in [key for key in self._servers if key not in pods]:
            del self._ports[key]
            await self._servers.pop(key).stop()
        for key, workload in pods.items():
            if key not in self._servers:
                self._servers[key] = _Upstream(key, self.profile(workload))
                self._ports[key] = await self._servers[key].start()
        return dict(self._ports)
