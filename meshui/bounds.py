"""What every request is held to before anything of it is read: size and number of headers, size and time of a body.

Django reads a body whole before it calls a view, beyond a size into a file; here it never gets one that is too large.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
MAX_BODY_BYTES: Final = 1024 * 1024
SEND_SECONDS = 30.0
"""For the head, and again for the body: whoever drips holds a connection no longer, and never a thread."""
MANY_VALUED: Final = frozenset(
    {
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"forwarded",
    }
    | {b"if-match", b"if-none-match", b"pragma", b"te", b"trailer", b"upgrade", b"via", b"x-forwarded-for"}
)
"""What RFC 9110 lets stand several times. Any other that does is two readings of one request: ours and a proxy's."""
WORDS: Final = {
    400: "This request says something twice, or how long it is in two ways.",
    408: f"This request was not sent within {SEND_SECONDS:g} seconds.",
    413: f"This request is larger than {MAX_BODY_BYTES // 1024} KiB.",
    431: f"This request has more than {MAX_HEADERS} headers, or more than {MAX_HEAD_BYTES // 1024} KiB of them.",
}
KINDS: Final = {400: "malformed", 408: "slow", 413: "too-large", 431: "too-large"}


def bounded(inner: ASGI3Application) -> ASGI3Application:
    """`inner`, which is given requests within the bounds alone, each with its whole body; the others are answered."""

    async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await inner(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": None})
        elif status := _fault(scope):
            await _refuse(scope, send, status)
        else:
            await _with_body(inner, scope, receive, send)

    return application


def _fault(scope: HTTPScope) -> int:
    """The status that its head deserves; 0 for a good one."""
    headers = list(scope["headers"])
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if len(headers) > MAX_HEADERS or size + sum(len(name) + len(value) for name, value in headers) > MAX_HEAD_BYTES:
        return 431
    once = [name.lower() for name, _ in headers if name.lower() not in MANY_VALUED]
    if len(once) != len(set(once)) or {b"content-length", b"transfer-encoding"} <= set(once):
        return 400
    length = dict(headers).get(b"content-length", b"0")
    if not (length.isdigit() and len(length) < 20):
        return 400
    return 413 if int(length) > MAX_BODY_BYTES else 0


async def _with_body(
    inner: ASGI3Application, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    body = bytearray()
    try:
        async with asyncio.timeout(SEND_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return  # it went away before it had said all
                body += message["body"]
                if len(body) > MAX_BODY_BYTES:
                    await _refuse(scope, send, 413)
                    return
                if not message["more_body"]:
                    break
    except TimeoutError:
        await _refuse(scope, send, 408)
        return
    await inner(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """The body once, then what `receive` has."""
    left: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return left.pop() if left else await receive()

    return again


async def _refuse(scope: HTTPScope, send: ASGISendCallable, status: int) -> None:
    """In words; for the API as a problem. The connection ends: what is left of the request is never read."""
    kind, body = b"text/plain; charset=utf-8", f"{WORDS[status]}\n"
    if scope["path"].startswith("/api/v1/"):
        kind = b"application/problem+json"
        about = {"type": f"urn:meshui:problem:{KINDS[status]}", "title": HTTPStatus(status).phrase, "status": status}
        body = json.dumps(about | {"detail": WORDS[status], "instance": "", "mend": ""})
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body.encode())).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body.encode(), "more_body": False})


class PatientProtocol(H11Protocol):
    """uvicorn's own, but a connection on which no whole head arrives is closed after SEND_SECONDS."""

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base itself
        """The head of the first request is waited for."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """A head that is whole has begun a cycle: the wait is over. Else it goes on, however much drips in."""
        super().data_received(data)
        if getattr(self.cycle, "response_complete", True) is False:  # there is no cycle before the first head
            self._stop_waiting()
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
