"""Where a row is measured: a MeshUI in a folder of its own, on SQLite or on a PostgreSQL that is started for it."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.loopback import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from typing import Self


GIVE_UP_SECONDS = 30


@contextmanager
def embedded(db: str) -> Iterator[Path]:
    """Django on an empty, migrated database; its folder, which is removed afterwards. Once a process.

    No setting of the shell counts.
    """
    with tempfile.TemporaryDirectory(prefix="meshui-bench-") as name, ExitStack() as ends:
        folder = Path(name)
        for setting in [each for each in os.environ if each.startswith("MESHUI_")]:
            del os.environ[setting]
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "meshui.settings",
            "MESHUI_DATA_DIR": str(folder / "data"),
            "MESHUI_ALLOW_LOOPBACK": "1",
        }
        if db == "postgresql":
            from tests.servers import PostgresServer  # noqa: PLC0415 - not asked for by the other database

            server = PostgresServer(folder)
            ends.callback(server.stop)
            os.environ["MESHUI_DATABASE_URL"] = server.url
        import django  # noqa: PLC0415 - after the environment is set

        django.setup()
        from django.core.management import call_command  # noqa: PLC0415 - as above
        from django.db import connections  # noqa: PLC0415 - as above

        call_command("migrate", interactive=False, verbosity=0)
        ends.callback(connections.close_all)
        yield folder


@contextmanager
def process(target: Callable[..., None], *args: object) -> Iterator[Connection]:
    """A process that is told what to do over a pipe, and to end at the end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    started = context.Process(target=target, args=(theirs, *args), daemon=True)
    started.start()
    theirs.close()
    try:
        yield ours
        ours.send("end")
        started.join(GIVE_UP_SECONDS)
    finally:
        if started.is_alive():
            started.kill()


def spin(pipe: Connection) -> None:
    """Keep one CPU busy until something is said."""
    while not pipe.poll():
        sum(range(10_000))


class Loopback:
    """The loopback API server in a process of its own, told over a pipe what to do."""

    def __init__(self, plural: str, count: int, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, plural, count, seed), daemon=True)
        self._process.start()
        theirs.close()
        self.kubeconfig = str(self._pipe.recv())

    def __enter__(self) -> Self:
        """It listens already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._pipe.send("end")
        self._process.join(GIVE_UP_SECONDS)
        if self._process.is_alive():
            self._process.kill()

    def wire(self) -> dict[str, float]:
        """Requests and bytes since this was last asked."""
        requests, sent, _ = self._ask("wire")
        return {"requests": requests, "bytes": sent}

    def version(self) -> str:
        """The version of its list; what was counted so far is forgotten."""
        return str(self._ask("wire")[2])

    def churn(self, share: float) -> dict[int, int]:
        """Change this share; of what decides something number → how often."""
        return dict(self._ask(share))

    def _ask(self, what: object) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()
