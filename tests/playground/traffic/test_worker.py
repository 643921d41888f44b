"""The worker's parts in this process, without Envoy between clients and upstreams."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from playground.traffic.load import Caller, Load, Plan
from playground.traffic.upstreams import LONGEST_SECONDS, Profile, Upstreams
from playground.traffic.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PODS = {"shop/a-1": "shop/a-v1", "shop/b-1": "shop/b-v1"}
CALLER = Caller("shop/a-1", "shop/a", "shop", ",app=a,")
TOLD = [
    {"key": key, "app": f"shop/{key[5]}", "namespace": "shop", "labels": f",app={key[5]},", "workload": workload}
    for key, workload in PODS.items()
]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def _run(work: Callable[[Upstreams, dict[str, int]], Coroutine[Any, Any, None]]) -> None:
    """Run `work` with two upstreams and their ports."""

    async def main() -> None:
        upstreams = Upstreams()
        ports = await upstreams.serve(PODS)
        await work(upstreams, ports)
        await upstreams.serve({})

    asyncio.run(main())


def test_profile__median_and_errors__by_chance_within_bounds() -> None:
    profile = Profile(latency_ms=20.0, error_percent=25.0)

    seconds = sorted(profile.seconds() for _ in range(2001))
    failures = sum(profile.fails() for _ in range(4000))

    assert seconds[1000] == pytest.approx(0.02, rel=0.1)
    assert 0 < seconds[0] < seconds[-1] <= LONGEST_SECONDS
    assert failures / 4000 == pytest.approx(0.25, abs=0.04)
    assert Profile().seconds() == 0
    assert not any(Profile().fails() for _ in range(100))


def test_upstreams__pod_that_goes__refuses_and_the_other_stays() -> None:
    async def work(upstreams: Upstreams, ports: dict[str, int]) -> None:
        left = await upstreams.serve({"shop/b-1": "shop/b-v1"})

        assert left == {"shop/b-1": ports["shop/b-1"]}
        assert await Load(ports["shop/a-1"]).send(CALLER, "shop/a") == (0, "-")
        load = Load(left["shop/b-1"])
        assert await load.send(CALLER, "shop/b") == (200, "shop/b-1")
        await load.close()

    _run(work)


def test_upstreams__slow_version__takes_its_time() -> None:
    async def work(upstreams: Upstreams, ports: dict[str, int]) -> None:
        upstreams.profile("shop/a-v1").latency_ms = 200.0
        load, begun = Load(ports["shop/a-1"]), time.monotonic()

        await asyncio.gather(*(load.send(CALLER, "shop/a") for _ in range(9)))
        took = time.monotonic() - begun
        await load.close()

        assert took > 0.1

    _run(work)


def test_load__answers__counted_by_caller_service_pod_and_status() -> None:
    async def work(upstreams: Upstreams, ports: dict[str, int]) -> None:
        load = Load(ports["shop/b-1"])
        await load.send(CALLER, "shop/b", headers={"x-user-group": "beta"})
        upstreams.profile("shop/b-v1").error_percent = 100.0
        await load.send(None, "shop/b", path="/b?x=1")
        await load.close()

        assert load.counts == {("shop/a-1", "shop/b", "shop/b-1", 200): 1, ("-", "shop/b", "shop/b-1", 503): 1}

    _run(work)


def test_load__plan__journeys_lead_on_from_the_pod_that_answered() -> None:
    async def work(_: Upstreams, ports: dict[str, int]) -> None:
        load = Load(ports["shop/a-1"])
        load.callers = {CALLER.key: CALLER}
        running = asyncio.create_task(load.run())
        load.follow(Plan("shop/a", 200.0, {"shop/a": [("shop/b", 1.0), ("shop/c", 0.0)]}))

        await _until(lambda: load.counts["shop/a-1", "shop/b", "shop/a-1", 200] > 5)
        load.follow(Plan())
        running.cancel()
        await load.close()

        assert {(caller, service) for caller, service, _, _ in load.counts} == {("-", "shop/a"), ("shop/a-1", "shop/b")}

    _run(work)


def test_load__upstream_that_speaks_no_http__no_answer() -> None:
    async def main() -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        load = Load(server.sockets[0].getsockname()[1])

        assert await load.send(None, "shop/a") == (0, "-")
        server.close()

    asyncio.run(main())


def test_worker__commands__answered_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        upstreams = Upstreams()
        ports = await upstreams.serve(PODS)
        worker = Worker(ports["shop/b-1"])
        commands: list[dict[str, Any]] = [
            {"do": "pods", "pods": TOLD},
            {"do": "profile", "workload": "shop/b-v1", "error_percent": 1.5},
            {"do": "send", "source": "shop/a-1", "service": "shop/b", "count": 3, "path": "", "headers": {}},
            {"do": "counts"},
            {"do": "plan", "entry": "", "per_second": 0.0, "calls": {}},
            {"do": "dance"},
            {"do": "send", "source": "shop/z", "service": "shop/b", "count": 1, "path": "", "headers": {}},
        ]
        await asyncio.gather(*(worker.say_answer(each) for each in commands))
        await worker.close()
        await upstreams.serve({})

    asyncio.run(main())

    pods, profile, sent, counts, plan, unknown, stranger = (json.loads(x) for x in capsys.readouterr().out.splitlines())
    assert pods["answer"].keys() == PODS.keys()
    assert profile == {"answer": {"latency_ms": 0.0, "error_percent": 1.5}}
    assert sent == {"answer": [["shop/b-1", 200]] * 3}
    assert counts == {"answer": [["shop/a-1", "shop/b", "shop/b-1", 200, 3]]}
    assert plan == {"answer": None}
    assert unknown == {"error": "ValueError: unknown command 'dance'"}
    assert stranger == {"error": "KeyError: 'shop/z'"}
