"""One real server as a child process: free ports, a log, readiness with a bound, an end by pid."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import keeper
from lab.waiting import until

START_SECONDS = 120.0
STOP_SECONDS = 20.0
_TAIL_LINES = 25
_ATTEMPTS = 3
_LOST_RACE = "address already in use"


class ServerError(Exception):
    """A server of the lab did not start or did not get ready; the text ends with the tail of its log."""


@dataclass(frozen=True)
class Place:
    """Where servers live: a folder for what they write, and the keeper's process group."""

    folder: Path
    group: int

    def inside(self, name: str) -> "Place":
        """The same group, a folder further down; made if absent."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return Place(folder, self.group)


class Keeper:
    """A temporary folder and the process that outlives us just long enough to clean up (lab.keeper)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="meshui-lab-"))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(self.folder)],
            cwd="/",
            stdin=subprocess.PIPE,
            process_group=0,
        )

    @property
    def place(self) -> Place:
        """Start servers here and they cannot outlive us."""
        return Place(self.folder, self._process.pid)

    def close(self) -> None:
        """End what still runs, remove the folder, and return when both are done."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=2 * STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(eq=False, kw_only=True)
class Server:
    """One server process; it can be started again after an end, with the same command on the same ports."""

    name: str
    command: Sequence[str | Path]
    place: Place
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = STOP_SECONDS
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def log(self) -> Path:
        """The file that holds what the server said, over all its starts."""
        return self.place.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Raises ServerError if it was never started."""
        if self._process is None:
            raise ServerError(f"{self.name} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives, paused or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; it may not be ready yet."""
        own = {"PATH": os.defpath, "HOME": str(self.place.folder), "TMPDIR": str(self.place.folder)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self.command],
                cwd=self.place.folder,
                env={**own, **self.environment},  # nothing of ours: no proxy, no kubeconfig, no cloud sign-in
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=self.place.group,
            )

    def wait_ready(self, is_ready: Callable[[], bool]) -> None:
        """Return when `is_ready()` is true. Raises ServerError if the process ends first or never gets there."""
        try:
            until(lambda: not self.is_running or is_ready(), seconds=START_SECONDS, what=f"{self.name} to be ready")
        except TimeoutError as error:
            raise ServerError(f"{error}\n{self.log_tail()}") from error
        if not self.is_running:
            code = self._process.returncode if self._process else None
            raise ServerError(f"{self.name} ended with {code} before it was ready. Its log ends:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def ask_to_stop(self) -> None:
        """Send SIGTERM, to a paused process too; `stop()` waits for the end."""
        if self.is_running:
            os.kill(self.pid, signal.SIGTERM)
            os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to stop and wait; after `patience` seconds it is killed. Nothing happens if it is not running."""
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(timeout=self.patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=STOP_SECONDS)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause()`."""
        os.kill(self.pid, signal.SIGCONT)


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports of 127.0.0.1 that nobody listens on just now."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(probe.getsockname()[1] for probe in probes)


def start_on_free_ports(
    count: int, make: Callable[[tuple[int, ...]], Server], is_ready: Callable[[tuple[int, ...]], bool]
) -> tuple[Server, tuple[int, ...]]:
    """Start `make(ports)` and wait for `is_ready(ports)`; take other ports if somebody was faster.

    Raises ServerError.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        ports = free_ports(count)
        server = make(ports)
        server.start()
        try:
            server.wait_ready(partial(is_ready, ports))
        except BaseException as error:
            server.kill()
            if attempt == _ATTEMPTS or not isinstance(error, ServerError) or _LOST_RACE not in str(error):
                raise
        else:
            return server, ports
    raise AssertionError("unreachable: the last attempt returns or raises")
