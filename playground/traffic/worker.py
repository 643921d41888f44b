"""`python -m playground.traffic.worker`: the process of one cluster's traffic, beside the one that runs the cluster.

It holds Envoy, the upstreams and the clients. Each line of its input is a command in JSON, each line of its output the
answer to one. When the input ends, whoever started it is gone: it ends Envoy, removes its folder and leaves.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.traffic.envoy import EnvoyError, start_envoy, wait_for_listener
from playground.traffic.load import Caller, Load, Plan
from playground.traffic.upstreams import Upstreams

if TYPE_CHECKING:
    import subprocess

LONGEST_LINE = 16 * 1024 * 1024
TERM_SECONDS = 3.0


class Worker:
    """Answers commands."""

    def __init__(self, port: int) -> None:
        """Envoy listens on `port`."""
        self._upstreams = Upstreams()
        self._load = Load(port)
        self._turn = asyncio.Lock()
        self._journeys = asyncio.create_task(self._load.run())

    async def close(self) -> None:
        """End all of it but what is being answered."""
        self._journeys.cancel()
        await self._load.close()
        await self._upstreams.serve({})

    async def say_answer(self, command: dict[str, Any]) -> None:
        """Do a command when those before it are done, and say what came of it."""
        async with self._turn:
            try:
                _say({"answer": await self.answer(command)})
            except (KeyError, TypeError, ValueError) as error:
                _say({"error": f"{type(error).__name__}: {error}"})

    async def answer(self, command: dict[str, Any]) -> Any:
        """Do what `command["do"]` names."""
        match command.pop("do"):
            case "pods":
                return await self._pods(**command)
            case "profile":
                return self._profile(**command)
            case "plan":
                return self._plan(**command)
            case "send":
                return await self._send(**command)
            case "counts":
                return [[*key, number] for key, number in self._load.counts.items()]
            case other:
                raise ValueError(f"unknown command {other!r}")

    async def _pods(self, pods: list[dict[str, str]]) -> dict[str, int]:
        """Let these pods serve and call; their ports."""
        self._load.callers = {
            pod["key"]: Caller(pod["key"], pod["app"], pod["namespace"], pod["labels"]) for pod in pods
        }
        return await self._upstreams.serve({pod["key"]: pod["workload"] for pod in pods})

    def _profile(self, workload: str, **changes: float) -> dict[str, float]:
        """Change how `namespace/workload` behaves; how it behaves then."""
        profile = self._upstreams.profile(workload)
        for name, value in changes.items():
            setattr(profile, name, value)
        return {"latency_ms": profile.latency_ms, "error_percent": profile.error_percent}

    def _plan(self, entry: str, per_second: float, calls: dict[str, list[tuple[str, float]]]) -> None:
        self._load.follow(Plan(entry, per_second, calls))

    async def _send(
        self, source: str, service: str, count: int, path: str, headers: dict[str, str]
    ) -> list[tuple[str, int]]:
        """Send as many requests of a pod (empty: of no mesh); which pods answered with which status."""
        caller = self._load.callers[source] if source else None
        asked = (self._load.send(caller, service, path=path, headers=headers) for _ in range(count))
        return [(pod, status) for status, pod in await asyncio.gather(*asked)]


async def serve(port: int) -> None:
    """Answer commands until the input ends."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    worker = Worker(port)
    _say({"port": port})
    answering: set[asyncio.Task[None]] = set()
    while line := await reader.readline():  # goes on reading while a command is done: its end must not go unseen
        task = asyncio.create_task(worker.say_answer(json.loads(line)))
        answering.add(task)
        task.add_done_callback(answering.discard)
    for task in answering:
        task.cancel()
    await worker.close()


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main(program: Path, folder: Path) -> int:
    """Run until the input ends; 1 if Envoy does not start."""
    envoy = start_envoy(program, folder)
    try:
        asyncio.run(serve(wait_for_listener(envoy, folder)))
    except EnvoyError as error:
        _say({"error": str(error)})
        return 1
    except BrokenPipeError:  # nobody reads any more
        return 0
    finally:
        _end(envoy)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _end(envoy: subprocess.Popen[bytes]) -> None:
    envoy.terminate()
    with suppress(Exception):
        envoy.wait(TERM_SECONDS)
    if envoy.poll() is None:
        envoy.kill()
        envoy.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
