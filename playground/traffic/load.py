"""The clients: requests to Envoy in the name of pods, and what came back, counted here."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playground.traffic.config import SOURCE_LABELS, SOURCE_NAMESPACE, SOURCE_POD
from playground.traffic.model import DOMAIN, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    Count = tuple[str, str, str, int]  # caller's pod, service, pod that answered, status

MOST_AT_ONCE = 48
TIMEOUT_SECONDS = 40.0
NO_ANSWER = 0  # the status of a request that nothing came back for
GROUPS = ((0.06, {"x-user-group": "beta"}), (0.03, {"x-employee": "yes"}))  # share of journeys, their headers


@dataclass(frozen=True, slots=True)
class Caller:
    """A pod as a client."""

    key: str
    app: str
    namespace: str
    labels: str  # `,key=value,key=value,`

    @property
    def headers(self) -> dict[str, str]:
        """What tells Envoy who calls."""
        return {SOURCE_POD: self.key, SOURCE_NAMESPACE: self.namespace, SOURCE_LABELS: self.labels}


@dataclass(frozen=True)
class Plan:
    """Who calls whom: journeys begin at `entry`, each call of a service leads on with a probability."""

    entry: str = ""
    per_second: float = 0.0
    calls: Mapping[str, list[tuple[str, float]]] = field(default_factory=dict)


class Load:
    """All clients of a cluster, in one event loop."""

    def __init__(self, port: int) -> None:
        """Call Envoy on `port` of 127.0.0.1."""
        self.plan = Plan()
        self.callers: dict[str, Caller] = {}
        self.counts: Counter[Count] = Counter()
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._gate = asyncio.Semaphore(MOST_AT_ONCE)
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()

    def follow(self, plan: Plan) -> None:
        """Let journeys go by `plan` from now on."""
        self.plan = plan
        self._changed.set()

    async def run(self) -> None:
        """Start journeys by the plan, until cancelled."""
        while True:
            self._changed.clear()
            rate = self.plan.per_second
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), random.expovariate(rate) if rate else None)
            if not self._changed.is_set() and len(self._running) < MOST_AT_ONCE:
                self._start(self._journey())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End all journeys and connections."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _journey(self) -> None:
        """One visitor: from outside the mesh to the entry, and on from each service that answered."""
        chance, headers = random.random(), {}  # noqa: S311 - nothing secret
        for share, bearing in GROUPS:
            if chance < share:
                headers = bearing
                break
            chance -= share
        await self._call(None, self.plan.entry, headers)

    async def _call(self, caller: Caller | None, service: str, headers: Mapping[str, str]) -> None:
        status, pod = await self.send(caller, service, headers=headers)
        answered = self.callers.get(pod)
        if status != 200 or answered is None:
            return
        for other, probability in self.plan.calls.get(service, ()):
            if random.random() < probability:  # noqa: S311 - nothing secret
                await self._call(answered, other, headers)

    async def send(
        self, caller: Caller | None, service: str, *, path: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Send one request of `caller` (None: of no mesh) to `namespace/name`; its status and which pod answered."""
        namespace, _, name = service.partition("/")
        lines = {**(caller.headers if caller else {}), **(headers or {})}
        text = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
        head = f"GET {path or f'/{name}'} HTTP/1.1\r\nhost: {name}.{namespace}.{DOMAIN}\r\n{text}\r\n".encode()
        async with self._gate:
            status, pod = await self._exchange(head)
        self.counts[caller.key if caller else OUTSIDE, service, pod, status] += 1
        return status, pod

    async def _exchange(self, head: bytes) -> tuple[int, str]:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                reader, writer = self._idle.pop() if self._idle else await self._connect()
                writer.write(head)
                status, pod = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            if writer is not None:
                writer.close()
            return NO_ANSWER, OUTSIDE
        except asyncio.CancelledError:
            if writer is not None:
                writer.close()
            raise
        self._idle.append((reader, writer))
        return status, pod

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    await reader.readexactly(int(headers.get("content-length") or 0))
    return int(first.split(" ")[1]), headers.get("x-served-by", OUTSIDE)
