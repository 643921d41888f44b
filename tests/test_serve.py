"""`manage.py serve`: migrates, says where it answers, gives the first link, and has one process per SQLite file."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.servers import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.walks


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """`serve("name", port)` starts it on an empty data folder that all of one test share."""
    running: list[Process] = []

    def start(name: str, port: int) -> Process:
        env = os.environ | {"MESHUI_DATA_DIR": str(tmp_path / "data"), "MESHUI_DATABASE_URL": ""}
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        running.append(Process(command, log=tmp_path / f"{name}.log", env=env))
        return running[-1]

    yield start
    for process in running:
        process.kill()


def status_of(url: str) -> int:
    """The status of a GET, redirects followed."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a URL of this machine
        status: int = answer.status
        return status


def test_serve__empty_folder__answers_with_a_first_link_and_ends_by_sigterm(serve: Callable[..., Process]) -> None:
    port = free_port()

    process = serve("first", port)

    process.wait_for_output("This link makes the first administrator", seconds=60)
    link = re.search(rf"http://127\.0\.0\.1:{port}/\S+", process.output().split("once:")[1])
    assert link is not None
    assert status_of(link[0]) == 200
    assert status_of(f"http://127.0.0.1:{port}/") == 200
    assert process.stop() == 0
    assert "Traceback" not in process.output()


def test_serve__second_on_the_same_file__refused_with_the_first_ones_pid(serve: Callable[..., Process]) -> None:
    first = serve("first", free_port())
    first.wait_for_output("MeshUI answers on", seconds=60)

    second = serve("second", free_port())

    assert second.wait(60) != 0
    assert f"(process {first.pid})" in second.output()
    assert first.code is None


def test_serve__port_taken__refused_with_the_mend(serve: Callable[..., Process]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        process = serve("first", port)

        assert process.wait(60) != 0

    assert f"Cannot listen on 127.0.0.1:{port}" in process.output()
    assert "Choose another --port" in process.output()


def test_serve__dies_of_a_signal__says_where_its_threads_were(serve: Callable[..., Process]) -> None:
    process = serve("web", free_port())
    process.wait_for_output("MeshUI answers on", seconds=60)

    process.send(signal.SIGSEGV)

    assert process.wait() == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in process.output()
    assert "most recent call first" in process.output()
