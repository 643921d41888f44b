"""The worker of a cluster's traffic as its cluster holds it: started, asked line by line, gone when it is closed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.traffic import config
from playground.traffic.envoy import Admin, EnvoyError, Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.traffic.model import Pod

ROOT = Path(__file__).resolve().parent.parent.parent
END_SECONDS = 10.0


class Link:
    """A worker process with its Envoy. Commands are done one after the other, from any thread."""

    def __init__(self, name: str, program: Path, bounds: Sequence[float]) -> None:
        """Start it; Envoy serves nothing yet. Raises EnvoyError."""
        self.folder = Path(tempfile.mkdtemp(prefix="meshui-traffic-"))
        self.files = Files(self.folder)
        self.admin = Admin(self.folder)
        self._lock = threading.Lock()
        bootstrap = config.bootstrap(self.folder, name, bounds)
        (self.folder / "bootstrap.json").write_text(json.dumps(bootstrap), encoding="utf-8")
        self.files.write("cds", config.document("cds", []))
        self.files.write("rds", config.document("rds", [config.route_configuration([])]))
        self._process = self._start(program)
        try:
            self.port = int(self._read()["port"])
        except EnvoyError:
            self.close()
            raise

    def _start(self, program: Path) -> subprocess.Popen[str]:
        """In a session of its own: Ctrl-C is for who started it, which then ends it by closing its input."""
        command = [sys.executable, "-m", "playground.traffic.worker", str(program), str(self.folder)]
        with (self.folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                text=True,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise EnvoyError("the worker has ended")
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise EnvoyError(str(said["error"]))
        return said

    def _ask(self, what: str, **fields: object) -> Any:
        """Do a command. Raises EnvoyError if it cannot be done."""
        with self._lock:
            try:
                assert self._process.stdin is not None  # noqa: S101 - it is a pipe
                self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
                self._process.stdin.flush()
                return self._read()["answer"]
            except (OSError, ValueError) as error:
                raise EnvoyError(f"the worker has ended: {error}") from error

    def serve(self, pods: Sequence[Pod]) -> dict[str, int]:
        """Let exactly these pods have a server; their ports by key."""
        told = [
            {
                "key": pod.key,
                "app": f"{pod.namespace}/{pod.app}",
                "namespace": pod.namespace,
                "labels": "".join(f",{key}={value}" for key, value in sorted(pod.labels.items())) + ",",
                "workload": f"{pod.namespace}/{pod.workload}",
            }
            for pod in pods
        ]
        ports: dict[str, int] = self._ask("pods", pods=told)
        return ports

    def profile(self, workload: str, **changes: float) -> dict[str, float]:
        """Change how `namespace/workload` behaves (latency_ms, error_percent); how it behaves then."""
        behaves: dict[str, float] = self._ask("profile", workload=workload, **changes)
        return behaves

    def plan(self, entry: str, per_second: float, calls: dict[str, list[tuple[str, float]]]) -> None:
        """Let journeys begin at `entry` so often and lead on by `calls`."""
        self._ask("plan", entry=entry, per_second=per_second, calls=calls)

    def send(
        self, service: str, count: int, *, source: str = "", path: str = "", headers: dict[str, str] | None = None
    ) -> list[tuple[str, int]]:
        """Send requests of a pod to `namespace/name`; for each the pod that answered, and the status."""
        answers = self._ask("send", source=source, service=service, count=count, path=path, headers=headers or {})
        return [(pod, status) for pod, status in answers]

    def counts(self) -> dict[tuple[str, str, str, int], int]:
        """What all clients have counted: caller's pod, service, pod that answered and status, to a number."""
        return {tuple(key): number for *key, number in self._ask("counts")}

    def close(self) -> None:
        """End the worker and Envoy, and wait for both."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what is still to be sent goes nowhere
                    pipe.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
