"""One watch as a stream of lines over a connection of its own, with bounds on what a server may send.

A line has at most 4 MiB, the whole an end in time, the silence between two a bound. Between bookmarks a server sends
what it likes; whoever iterates slowly holds the server up, not this process's memory.
"""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlencode

import msgspec
from urllib3.exceptions import HTTPError

from clusters.clients import BadAnswerError, ClusterError, OutcomeUnknownError, WatchEvent
from clusters.endpoints import BoundedSocket, StreamConnection
from clusters.slims import EncodedMeta, slim_of
from clusters.transport import error_for, short
from meshui.lib.typed import decoder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3

    from clusters.clients import Resource
    from clusters.transport import Transport

MAX_LINE = 4 * 1024 * 1024
PIECE = 64 * 1024
WATCH_SECONDS = (300, 600)
"""How long one watch is asked for; drawn, so that those of a cluster do not all end at once."""
GRACE_SECONDS = 30.0
SILENCE_SECONDS = 120.0
"""A real server sends a bookmark a minute; one that says nothing for so long is taken for dead."""
CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})


class _Object(msgspec.Struct, gc=False):
    metadata: EncodedMeta = msgspec.field(default_factory=EncodedMeta)


class _Line(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Status(msgspec.Struct, gc=False):
    code: int = 0


LINE = decoder_of(_Line)
OBJECT = decoder_of(_Object)
STATUS = decoder_of(_Status)


class Watch:
    """A watch of one kind from one version on. Iterate it once; `stop` ends it from any thread."""

    def __init__(self, transport: Transport, resource: Resource, resource_version: str) -> None:
        self._transport = transport
        self._resource = resource
        self._seconds = random.randint(*WATCH_SECONDS)  # noqa: S311 - jitter
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(self._seconds)}
        self._path = f"{resource.path()}?{urlencode({**query, 'resourceVersion': resource_version})}"
        self._socket: BoundedSocket | None = None
        self._lock = threading.Lock()
        self._is_stopped = False

    def __iter__(self) -> Iterator[WatchEvent]:
        """Events until the server ends it, the time is over, or it is stopped. Raises ClusterError."""
        pool = self._transport.new_pool()
        pool.hold_open()
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._transport.stream(self._path, pool)
            for line in self._lines(response, self._held(response)):
                event = self._event(line)
                if event is not None:
                    yield event
        except ClusterError:
            if not self._is_stopped:
                raise
        except (HTTPError, OSError) as error:
            if not self._is_stopped:
                raise OutcomeUnknownError(f"The watch of {self._resource.plural} broke: {short(error)}") from error
        finally:
            self._socket = None
            if response is not None:
                response.close()
            pool.clear()

    def stop(self) -> None:
        """End it; the thread that iterates wakes up."""
        with self._lock:
            self._is_stopped = True
            held = self._socket
        if held is not None:
            with suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)  # not TLS's own: that would pull it from under a reader

    def _held(self, response: urllib3.BaseHTTPResponse) -> BoundedSocket:
        connection = response.connection
        held = connection.held if isinstance(connection, StreamConnection) else None
        if held is None or response.headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise BadAnswerError(f"It does not stream what becomes of its {self._resource.plural}.")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BadAnswerError("It packs a stream, which was not asked for.")
        held.go_on(self._seconds + GRACE_SECONDS, SILENCE_SECONDS, MAX_LINE)
        with self._lock:
            self._socket = held
            if self._is_stopped:
                raise OutcomeUnknownError("It was stopped.")
        return held

    def _lines(self, response: urllib3.BaseHTTPResponse, held: BoundedSocket) -> Iterator[bytes]:
        left = b""
        for piece in response.stream(PIECE, decode_content=False):
            held.allow(MAX_LINE)
            *lines, left = (left + piece).split(b"\n")
            yield from (line for line in lines if line)
            if len(left) > MAX_LINE:
                raise BadAnswerError(f"It sends too much: a line of more than {MAX_LINE // 1024} KiB in a watch.")

    def _event(self, line: bytes) -> WatchEvent | None:
        try:
            found = LINE.decode(line)
            if found.type == "BOOKMARK":
                return WatchEvent("BOOKMARK", OBJECT.decode(found.object).metadata.resource_version)
            if found.type == "ERROR":
                raise error_for(STATUS.decode(found.object).code or 500, bytes(found.object), {})
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswerError(f"Its watch of {self._resource.plural} sends no events.") from error
        if found.type not in CHANGES:
            raise BadAnswerError(f"Its watch of {self._resource.plural} sends an event {found.type[:20]!r}.")
        item = slim_of(found.object, self._resource)
        kind: Any = found.type
        return WatchEvent(cast("Literal['ADDED', 'MODIFIED', 'DELETED']", kind), item.head.resource_version, item)
