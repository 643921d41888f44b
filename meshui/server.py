"""The web server of `serve` and of the demo: uvicorn on one socket, ended cleanly by Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn
from django.conf import settings
from django.utils.module_loading import import_string

from meshui.bounds import MAX_HEAD_BYTES, PatientProtocol
from meshui.lib.errors import UnavailableError

if TYPE_CHECKING:
    from types import FrameType
    from typing import Protocol

    class Beside(Protocol):
        """What runs in threads beside the server."""

        def start(self) -> None: ...
        def stop(self) -> None: ...


BACKLOG = 2048
GRACE_SECONDS = 5
"""Whatever is still open after so long is cut off: a stream never ends by itself."""
MAX_CONNECTIONS = 2_000


def listen(host: str, port: int, *, or_any: bool = False) -> socket.socket:
    """A listening socket on `host`:`port`; with `or_any` on another free port if that one is taken.

    Raises UnavailableError if the port is taken.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if or_any and port:
            return listen(host, 0)
        text = f"Cannot listen on {host}:{port}: {error.strerror}."
        raise UnavailableError(text, mend="Choose another --port.") from error
    return made


def address(listening: socket.socket) -> str:
    """`http://host:port` of `listening`."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def leave_on_sigterm() -> None:
    """From now on SIGTERM ends the process like Ctrl-C does: everything that was begun is ended first."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)


def watchers() -> list[Beside]:
    """The watches of clusters, unless they are switched off (MESHUI_WATCH=0): clusters are then read at intervals."""
    return [import_string(settings.WATCHERS)()] if settings.WATCH else []


class Server(uvicorn.Server):
    """A uvicorn that ends the streams of live data as soon as it is told to leave, and waits for nothing else."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does."""
        from meshui.ui.live import end_streams  # noqa: PLC0415 - needs Django, which the demo sets up later

        end_streams()
        await super().shutdown(sockets)


def serve(listening: socket.socket) -> None:
    """Answer requests on `listening` until Ctrl-C or SIGTERM, then let those under way finish.

    uvicorn hands the signal on when it is done; `leave_on_sigterm` makes that an end and not a kill.
    """
    config = uvicorn.Config(
        "meshui.asgi:application",
        lifespan="on",
        http=PatientProtocol,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        return
