"""S18: what raw ASGI and raw sockets send: sizes, repetitions, wrong types, drips. A 4xx, never a crash, soon."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from meshui import bounds
from meshui.bounds import MAX_BODY_BYTES, PatientProtocol, bounded
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

Headers = list[tuple[bytes, bytes]]
HOST = (b"host", b"127.0.0.1")
FAULTS: dict[str, tuple[Headers, int]] = {
    "10,000 equal headers": ([(b"x-a", b"b")] * 10_000, 431),
    "10,000 headers": ([(b"x-%d" % n, b"b") for n in range(10_000)], 431),
    "one header of 20 KiB": ([(b"x-a", b"b" * 20_000)], 431),
    "one cookie of 16 KiB": ([(b"cookie", b"a=" + b"b" * 16_384)], 431),
    "two hosts": ([(b"host", b"evil.example")], 400),
    "two cookies": ([(b"cookie", b"a=1"), (b"cookie", b"b=2")], 400),
    "two origins": ([(b"origin", b"https://a"), (b"Origin", b"https://b")], 400),
    "two sessions of a site": ([(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")], 400),
    "two authorizations": ([(b"authorization", b"a"), (b"AUTHORIZATION", b"b")], 400),
    "two keys": ([(b"idempotency-key", b"a"), (b"idempotency-key", b"b")], 400),
    "two types": ([(b"content-type", b"application/json"), (b"content-type", b"text/plain")], 400),
    "two lengths": ([(b"content-length", b"1"), (b"content-length", b"2")], 400),
    "length and chunks": ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], 400),
    "length that is a word": ([(b"content-length", b"many")], 400),
    "length below zero": ([(b"content-length", b"-1")], 400),
    "length with a sign": ([(b"content-length", b"+1")], 400),
    "length without end": ([(b"content-length", b"9" * 400)], 400),
    "10 MB announced": ([(b"content-length", b"10000000")], 413),
}


class Seen:
    """An application that notes what it is given, and says ok."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["more_body"] is False
        self.bodies.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})


def scope_of(headers: Headers, *, path: str = "/", query: bytes = b"", kind: str = "http") -> Any:
    """As uvicorn makes it."""
    http = {"http_version": "1.1", "method": "POST", "scheme": "http", "root_path": "", "server": None, "client": None}
    where = {"path": path, "raw_path": path.encode(), "query_string": query, "headers": [HOST, *headers]}
    return {"type": kind, "asgi": {"version": "3.0"}, "extensions": {}, **http, **where}


def run(call: Any) -> None:
    """An awaitable, in a loop of its own."""

    async def whole() -> None:
        await call

    asyncio.run(whole())


def answered(app: Any, scope: Any, pieces: list[bytes], *, wait: float = 0) -> list[dict[str, Any]]:
    """What `app` sends when the body comes in `pieces`, `wait` seconds between them; after them nothing comes."""
    sent: list[dict[str, Any]] = []
    left = list(pieces)

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    run(bounded(app)(scope, receive, send))
    return sent


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("path", ["/", "/api/v1/changes/"])
def test_s18_asgi__hostile_head__4xx_before_anything_reads_it(name: str, path: str) -> None:
    headers, status = FAULTS[name]
    seen = Seen()
    began = time.process_time()

    start, body = answered(seen, scope_of(headers, path=path), [b""])

    assert time.process_time() - began < 1
    assert (start["status"], seen.bodies) == (status, [])
    assert (b"connection", b"close") in start["headers"]
    if path.startswith("/api/"):
        assert (b"content-type", b"application/problem+json") in start["headers"]
        assert json.loads(body["body"])["status"] == status
    else:
        assert body["body"].decode().startswith("Th")


@pytest.mark.parametrize(("path", "query"), [("/" + "x" * 17_000, b""), ("/", b"q=" + b"x" * 17_000)])
def test_s18_asgi__request_line_too_long__431(path: str, query: bytes) -> None:
    assert answered(Seen(), scope_of([], path=path, query=query), [b""])[0]["status"] == 431


def test_s18_asgi__ten_megabytes_unannounced__413_at_the_first_mebibyte() -> None:
    seen, pieces = Seen(), [b"x" * 65_536] * 160

    start, _ = answered(seen, scope_of([(b"transfer-encoding", b"chunked")]), pieces)

    assert (start["status"], seen.bodies) == (413, [])


def test_s18_asgi__body_that_drips__408_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SEND_SECONDS", 0.2)
    seen = Seen()

    start, _ = answered(seen, scope_of([]), [b"x"] * 1000, wait=0.01)

    assert (start["status"], seen.bodies) == (408, [])
    assert answered(seen, scope_of([(b"content-length", b"5")]), [])[0]["status"] == 408


def test_s18_asgi__just_within_the_bounds__given_on_whole() -> None:
    seen, body = Seen(), [b"x" * (MAX_BODY_BYTES // 2)] * 2
    headers = [(b"x-%d" % n, b"b" * 100) for n in range(90)] + [(b"accept", b"a"), (b"accept", b"b")]

    start, _ = answered(seen, scope_of(headers), body)

    assert start["status"] == 200
    assert seen.bodies == [b"x" * MAX_BODY_BYTES]


def test_s18_asgi__websocket__closed() -> None:
    sent = answered(Seen(), scope_of([], kind="websocket"), [])

    assert [message["type"] for message in sent] == ["websocket.close"]


def test_asgi__gone_before_it_said_all__nothing_called() -> None:
    seen, sent = Seen(), []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    run(bounded(seen)(scope_of([]), receive, send))

    assert (seen.bodies, sent) == ([], [])


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a uvicorn as `serve` configures it, not quite as patient."""
    monkeypatch.setattr(bounds, "SEND_SECONDS", 10.0)
    config = uvicorn.Config(
        bounded(Seen()),
        port=0,
        lifespan="off",
        log_config=None,
        http=PatientProtocol,
        h11_max_incomplete_event_size=16_384,
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What is answered until the server closes; empty where it says nothing."""
    heard = b""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
                threading.Event().wait(pause)
            while data := sock.recv(65_536):
                heard += data
        except (ConnectionResetError, BrokenPipeError):
            return heard
    return heard


def test_s18_socket__nothing_or_half_a_head__closed_at_the_deadline(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SEND_SECONDS", 0.4)
    for pieces in ((), (b"GET / HT",), (b"GET / HTTP/1.1\r\nHost: a\r\n",), (b"X",) * 400):
        began = time.monotonic()

        heard = talk(port, *pieces, pause=0.01)

        assert heard == b"" or heard.startswith(b"HTTP/1.1 400")
        assert time.monotonic() - began < 6


def drip(sock: socket.socket) -> None:
    """A byte a hundredth of a second, for four seconds."""
    for _ in range(400):
        sock.sendall(b"G")
        threading.Event().wait(0.01)


def test_s18_socket__second_head_on_a_kept_connection__closed_at_the_deadline(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        first = sock.recv(65_536)
        monkeypatch.setattr(bounds, "SEND_SECONDS", 0.4)  # read when the first byte of the next head comes
        began = time.monotonic()

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            drip(sock)

    assert first.startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:40]) + str(len(raw)),
)
def test_s18_socket__malformed__4xx_and_the_server_lives(port: int, raw: bytes) -> None:
    heard = talk(port, raw)

    assert heard[:10] in {b"HTTP/1.1 4", b""}, heard[:100]
    assert talk(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
