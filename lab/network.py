"""A network of this thread's own (Linux): nothing gets in or out, all ports are free, and addresses of pods answer.

A thread takes its network along to the threads and processes it starts; everything else stays where it was.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Network

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of unshare(2)
_SET_ADDRESS, _SET_MASK, _SET_FLAGS = 0x8916, 0x891C, 0x8914  # SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS
_UP_AND_RUNNING = 0x1 | 0x40
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class NoNetworkError(Exception):
    """This system or this user may have no network of its own; the text says what to do."""


class Network:
    """One network whose loopback device answers for every address of `pods`. Close it when nothing lives in it."""

    def __init__(self, pods: str) -> None:
        """Raises NoNetworkError."""
        with _home() as home:
            _set(home)  # whoever may not come back must not go
            _check(_libc().unshare(_NEW_NETWORK))
            try:
                self._file = _current()
                if os.path.sameopenfile(home, self._file):  # nobody sets up the network of the machine
                    raise NoNetworkError("A network namespace was promised, and this thread is where it was.")
                _set_up_loopback(IPv4Network(pods))
            finally:
                _set(home)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it starts, is in the network while the block runs."""
        with _home() as home:
            _set(self._file)
            try:
                yield
            finally:
                _set(home)

    def close(self) -> None:
        """Let it go; it ends with the last process in it."""
        os.close(self._file)


def is_allowed() -> bool:
    """Whether a network of its own can be had here."""
    try:
        Network("10.99.0.0/16").close()
    except NoNetworkError:
        return False
    return True


@contextmanager
def _home() -> Iterator[int]:
    """The network of this thread, as a file."""
    _libc()
    home = _current()
    try:
        yield home
    finally:
        os.close(home)


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _set(network: int) -> None:
    _check(_libc().setns(network, _NEW_NETWORK))


def _libc() -> ctypes.CDLL:
    if _LIBC is None:
        raise NoNetworkError("Pods that answer need a network namespace of Linux.")
    return _LIBC


def _check(result: int) -> None:
    if result:
        why = os.strerror(ctypes.get_errno())
        raise NoNetworkError(
            f"Pods that answer need a network namespace, and none can be had here ({why}): run it as root, or this "
            "file of tests alone behind `unshare --map-root-user --net`."
        )


def _set_up_loopback(pods: IPv4Network) -> None:
    """An address with its prefix on the loopback device makes all addresses of that prefix local."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as control:
        flags = struct.pack("16sh14x", b"lo", _UP_AND_RUNNING)
        fcntl.ioctl(control, _SET_FLAGS, flags)
        for request, value in ((_SET_ADDRESS, pods.network_address + 1), (_SET_MASK, pods.netmask)):
            address = struct.pack("16sHH4s8x", b"lo:pods", socket.AF_INET, 0, value.packed)
            fcntl.ioctl(control, request, address)
