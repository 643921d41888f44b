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
        with _at_home_again():
            if _LIBC is None or _LIBC.unshare(_NEW_NETWORK):
                why = "this is not Linux" if _LIBC is None else os.strerror(ctypes.get_errno())
                raise NoNetworkError(
                    f"A network namespace is needed, in which addresses of pods answer, and none can be made ({why}): "
                    "run it as root, or put `unshare --map-root-user` before the command."
                )
            _set_up_loopback(IPv4Network(pods))
            self._file = _current()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it starts, is in the network while the block runs."""
        with _at_home_again():
            _enter(self._file)
            yield

    def close(self) -> None:
        """Let it go; it ends with the last process in it."""
        os.close(self._file)


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(file: int) -> None:
    if _LIBC is None or _LIBC.setns(file, _NEW_NETWORK):
        raise NoNetworkError(f"The network cannot be entered: {os.strerror(ctypes.get_errno())}")


@contextmanager
def _at_home_again() -> Iterator[None]:
    """Whatever the block does, this thread is in its network of now afterwards."""
    home = _current() if _LIBC is not None else -1
    try:
        yield
    finally:
        if home >= 0:
            _enter(home)
            os.close(home)


def _set_up_loopback(pods: IPv4Network) -> None:
    """An address with its prefix on the loopback device makes all addresses of that prefix local."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as control:
        flags = struct.pack("16sh14x", b"lo", _UP_AND_RUNNING)
        fcntl.ioctl(control, _SET_FLAGS, flags)
        for request, value in ((_SET_ADDRESS, pods.network_address + 1), (_SET_MASK, pods.netmask)):
            address = struct.pack("16sHH4s8x", b"lo:pods", socket.AF_INET, 0, value.packed)
            fcntl.ioctl(control, request, address)
