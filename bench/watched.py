"""The server of P9: MeshUI as `serve` runs it, streams and watches in one process, which notes what was told when."""

from __future__ import annotations

import asyncio
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import django
import uvicorn
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from meshui.lib.bus import Fact

Version = tuple[str, int]
"""Of a route: its name, its resourceVersion."""


class Notes:
    """Which rows were committed, and how many of them when each event was told: by its token. Hears the bus."""

    def __init__(self) -> None:
        self.committed: list[Version] = []
        self.told: dict[str, int] = {}
        self._written: list[Version] = []

    def wrote(self, moved: list[dict[str, Any]]) -> None:
        """Rows of a transaction that is still open."""
        self._written += [(row["name"], int(row["resource_version"])) for row in moved if "resource_version" in row]

    def hear(self, _: Fact) -> None:
        """After a commit, in the thread that made it."""
        self.committed += self._written
        self._written = []

    def miss(self) -> None:
        """Within one process nothing is missed."""

    def set_away(self, *, is_away: bool) -> None:
        """Within one process it is never away."""

    def encoded(self, token: str) -> None:
        """An event for everybody who listens."""
        if token:
            self.told[token] = len(self.committed)


def serve(pipe: Connection) -> None:
    """Say the port; then, whenever it is asked, what was committed and told so far, and CPU seconds; until `end`."""
    django.setup()
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    asyncio.run(_serve(pipe, Notes()))


async def _serve(pipe: Connection, notes: Notes) -> None:
    from django.core.handlers.asgi import ASGIHandler  # noqa: PLC0415 - after the settings

    from meshes.services.watchers import Watchers  # noqa: PLC0415 - as above
    from meshui.lib.bus import Subscription  # noqa: PLC0415 - as above
    from meshui.server import listen  # noqa: PLC0415 - as above
    from meshui.ui.live import with_live  # noqa: PLC0415 - as above

    Subscription(notes).open()
    watchers, listening = Watchers(), listen("127.0.0.1", 0)
    application: Any = with_live(ASGIHandler())  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None, access_log=False))
    with _noted(notes):
        running = asyncio.create_task(server.serve(sockets=[listening]))
        watchers.start()
        pipe.send(listening.getsockname()[1])
        while await asyncio.to_thread(pipe.recv) != "end":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send((notes.committed[:], dict(notes.told), usage.ru_utime + usage.ru_stime))
        await asyncio.to_thread(watchers.stop)
        server.should_exit = server.force_exit = True
        await running


@contextmanager
def _noted(notes: Notes) -> Iterator[None]:
    """What is written and what is encoded is noted, and done as ever."""
    from meshes.services import store  # noqa: PLC0415 - after the settings
    from meshui.ui.hub import Hub  # noqa: PLC0415 - as above

    write, encode = store._write, Hub.encode  # noqa: SLF001 - watched, not replaced

    def noted_write(model: Any, cluster: Any, moved: list[dict[str, Any]]) -> int:
        notes.wrote(moved)
        return write(model, cluster, moved)

    def noted_encode(hub: Hub, text: str, token: str) -> bytes:
        notes.encoded(token)
        return encode(hub, text, token)

    with patch.object(store, "_write", noted_write), patch.object(Hub, "encode", noted_encode):
        yield
