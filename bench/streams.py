"""The servers of the bench `live`: MeshUI's own streams, and Django's StreamingHttpResponse as the peer."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import TYPE_CHECKING, Any

import django
import uvicorn
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import StreamingHttpResponse
from django.urls import path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from multiprocessing.connection import Connection

    from django.http import HttpRequest

peers: set[asyncio.Queue[bytes]] = set()


async def peer_stream(_request: HttpRequest, **_: str) -> StreamingHttpResponse:
    """The peer: a StreamingHttpResponse, a queue a reader."""
    return StreamingHttpResponse(_peer_events(), content_type="text/event-stream")


async def _peer_events() -> AsyncIterator[bytes]:
    mine: asyncio.Queue[bytes] = asyncio.Queue(1)
    peers.add(mine)
    try:
        yield b"event: hello\ndata: {}\n\n"
        while True:
            yield await mine.get()
    finally:
        peers.discard(mine)


urlpatterns = [path("live/<str:topics>/", peer_stream)]


def serve(pipe: Connection, *, is_peer: bool) -> None:
    """A server in a process of its own: says its port, then rings when it is told to, then what it cost."""
    django.setup()
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    if is_peer:
        settings.ROOT_URLCONF = "bench.streams"
        settings.MIDDLEWARE = []
        application: Any = ASGIHandler()
    else:
        from meshui.ui.live import with_live  # noqa: PLC0415 - as above

        application = with_live(ASGIHandler())  # type: ignore[arg-type]
    asyncio.run(_serve(application, pipe, is_peer=is_peer))


async def _serve(application: Any, pipe: Connection, *, is_peer: bool) -> None:
    from meshui.lib.bus import Fact  # noqa: PLC0415 - after the settings
    from meshui.server import listen  # noqa: PLC0415 - as above
    from meshui.ui.live import hub  # noqa: PLC0415 - as above

    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    pipe.send(listening.getsockname()[1])
    began = 0.0
    while (told := await asyncio.to_thread(pipe.recv)) != "end":
        if not began:
            began = time.process_time()
        if is_peer:
            for queue in tuple(peers):
                if not queue.full():
                    queue.put_nowait(b'event: state\ndata: {"topic":"changes"}\n\n')
        else:
            hub().hear(Fact("cluster", told))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send((time.process_time() - began, usage.ru_maxrss / 1024))
    server.should_exit = True
    server.force_exit = True
    await running
