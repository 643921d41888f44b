"""HTTP/1.1 over TLS, a thread per connection. All threads end with the listener."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from playground.apiserver.auth import certificate_user
from playground.apiserver.messages import Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from playground.apiserver.messages import Response, User

LONGEST_LINE = 64 * 1024
MOST_HEADERS = 200
HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is sent: whole, or half of it and then a reset, or slowly until `stopping`."""

    is_cut: bool = False
    bytes_per_second: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)


WHOLE = Manner()


class Connection:
    """One client. Requests come one after the other."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        """Take over a socket whose handshake is done."""
        self.is_reset = False  # its end shall be a reset, not a goodbye
        self._socket = sock
        self._reader: BinaryIO = sock.makefile("rb")
        self._certificate: User | None = certificate_user(sock.getpeercert())

    def read(self) -> Request | None:
        """Return the next request; None when the client is gone, or speaks no HTTP."""
        line = self._line()
        words = line.split(" ")
        if len(words) != 3:
            return None
        headers: dict[str, str] = {}
        for _ in range(MOST_HEADERS):
            header = self._line()
            if not header:
                break
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self._reader.read(int(headers.get("content-length") or 0))
        return Request(words[0], words[1], headers, body, self._certificate)

    def _line(self) -> str:
        return self._reader.readline(LONGEST_LINE).decode("latin-1").rstrip("\r\n")

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._line().partition(";")[0] or "0", 16):
            body += self._reader.read(size)
            self._line()
        self._line()
        return body

    def write(self, response: Response, manner: Manner = WHOLE) -> None:
        """Send an answer; `manner` says how badly."""
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Type": response.content_type,
            "Cache-Control": "no-cache, private",
        }
        headers |= response.headers
        if response.stream is None:
            headers["Content-Length"] = str(len(response.body))
        else:
            headers["Transfer-Encoding"] = "chunked"
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        phrase = HTTPStatus(response.status).phrase
        head = f"HTTP/1.1 {response.status} {phrase}\r\n{''.join(lines)}\r\n".encode("latin-1", "replace")
        body = response.body[: len(response.body) // 2] if manner.is_cut else response.body
        self._send(head + body, manner)
        if response.stream is not None:
            self._stream(response)
        if manner.is_cut:
            self.is_reset = True
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _send(self, data: bytes, manner: Manner) -> None:
        if not manner.bytes_per_second:
            self._socket.sendall(data)
            return
        for index in range(0, len(data), 8):
            self._socket.sendall(data[index : index + 8])
            if manner.stopping.wait(8 / manner.bytes_per_second):
                return

    def _stream(self, response: Response) -> None:
        for piece in response.stream or ():
            if piece:
                self._socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            elif self._is_gone():
                return
        self._socket.sendall(b"0\r\n\r\n")

    def _is_gone(self) -> bool:
        """Tell whether the client hung up: during a stream it has nothing to say."""
        return bool(select.select([self._socket], [], [], 0)[0])


class Listener:
    """Accepts connections and serves each on a thread of its own."""

    def __init__(self, context: ssl.SSLContext, serve: Callable[[Connection, Request], bool]) -> None:
        """Call `serve` for each request; it tells whether the connection may be used again."""
        self._context = context
        self._serve = serve
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def start(self, host: str, port: int, name: str) -> int:
        """Listen; return the port (a free one, if `port` is 0)."""
        self._is_stopping = False
        self._socket = socket.create_server((host, port), backlog=128)
        bound: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._socket,), name=f"{name}-accept", daemon=True)
        self._thread.start()
        return bound

    def stop(self) -> None:
        """Close everything and wait for all threads."""
        self._is_stopping = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            threads = list(self._open.items())
        for sock, _ in threads:
            _hang_up(sock)
        for _, thread in threads:
            thread.join()

    def _accept(self, listening: socket.socket) -> None:
        while not self._is_stopping:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(sock,), name="api-connection", daemon=True)
            with self._lock:
                self._open[sock] = thread
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        is_reset = False
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(HANDSHAKE_SECONDS)
            # The plain socket object stays ours: hanging up must not touch the TLS object of another thread.
            secure = self._context.wrap_socket(_twin(sock), server_side=True)
            try:
                secure.settimeout(None)
                is_reset = self._talk(Connection(secure))
            finally:
                secure.close()
        except OSError:
            pass  # the client went away, or never spoke TLS: nothing is left to tell it
        finally:
            with self._lock:
                del self._open[sock]
            if not is_reset:
                _hang_up(sock)
            sock.close()

    def _talk(self, connection: Connection) -> bool:
        """Serve request after request; tell whether the connection shall end with a reset."""
        while not self._is_stopping:
            try:
                request = connection.read()
            except ValueError:  # no HTTP, or the socket was closed under the reader
                break
            if request is None or not self._serve(connection, request):
                break
        return connection.is_reset


def _twin(sock: socket.socket) -> socket.socket:
    return sock.dup()


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
