"""A network of the thread's own: what is in it is not outside, and the thread is back afterwards."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import network
from lab.network import Network, NoNetworkError

if TYPE_CHECKING:
    from collections.abc import Iterator

PODS = "10.99.0.0/16"
POD = "10.99.7.7"


@pytest.fixture
def own() -> Iterator[Network]:
    """One, where it can be had."""
    try:
        made = Network(PODS)
    except NoNetworkError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def connects(address: tuple[str, int]) -> bool:
    """Whether anybody listens there."""
    try:
        socket.create_connection(address, timeout=0.3).close()
    except OSError:
        return False
    return True


def name_of_now() -> str:
    """The network of this thread."""
    return str(Path("/proc/thread-self/ns/net").readlink())


def test_entered__address_of_a_pod__answers_inside_and_nowhere_else(own: Network) -> None:
    with own.entered():
        server = socket.create_server((POD, 0))
    with server:
        address = server.getsockname()
        outside, inside = connects(address), list[bool]()
        with own.entered():
            code = f"import socket; socket.create_connection({address!r}, 1)"
            child = subprocess.run([sys.executable, "-c", code], check=False)
            thread = threading.Thread(target=lambda: inside.append(connects(address)))
            thread.start()
            thread.join()
            inside.append(connects(address))

    assert not outside
    assert inside == [True, True]
    assert child.returncode == 0


def test_entered__something_raises__thread_is_back(own: Network) -> None:
    before = name_of_now()

    with pytest.raises(ZeroDivisionError), own.entered():
        1 / 0  # noqa: B018 - it raises

    assert name_of_now() == before


class System:
    """In place of the C library: nobody leaves, and setns(2) answers `back`."""

    def __init__(self, back: int) -> None:
        self.back = back
        self.left = False

    def unshare(self, _: int) -> int:
        """As unshare(2)."""
        self.left = True
        return 0

    def setns(self, *_: int) -> int:
        """As setns(2)."""
        return self.back


def test_network__no_way_back__says_what_to_do_and_nobody_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(back=-1)
    monkeypatch.setattr(network, "_LIBC", system)

    with pytest.raises(NoNetworkError, match=r"run it as root, or this file of tests alone behind `unshare"):
        Network(PODS)

    assert not system.left


def test_network__still_in_the_network_of_the_machine__that_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[object] = []
    monkeypatch.setattr(network, "_LIBC", System(back=0))
    monkeypatch.setattr(network, "_set_up_loopback", touched.append)

    with pytest.raises(NoNetworkError, match="this thread is where it was"):
        Network(PODS)

    assert touched == []
