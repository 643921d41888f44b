"""One API server over a pinned pool: what is sent, the bounds on every answer, and what each failure means.

Reads and writes go through it, so it also says whether a write was surely not sent, or unknown, or refused.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING

import msgspec
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from clusters.clients import (
    BadAnswerError,
    ClusterError,
    CredentialRejectedError,
    ExpiredError,
    ForbiddenError,
    InvalidObjectError,
    LostRaceError,
    NotSentError,
    ObjectGoneError,
    OutcomeUnknownError,
    ThrottledError,
    TooLargeError,
)
from clusters.endpoints import EndpointRefusedError, TooMuchError
from meshui.lib.logs import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import urllib3

    from clusters.endpoints import Endpoint, PinnedPool
    from meshui.lib.jsontypes import JsonObject

MAX_OBJECT_BYTES = 2 * 1024 * 1024
MAX_ERROR = 2_048
MAX_ERROR_BYTES = 64 * 1024
PIECE = 256 * 1024
MAX_RETRY_AFTER = 60.0
FAILED_TEST = "the server rejected our request due to an error in our request"
"""All that a real server says of a JSON Patch whose `test` failed; faults of validation name the object instead."""
NOT_SENT = (NewConnectionError, ConnectTimeoutError, NameResolutionError, EmptyPoolError, SSLError)
"""SSLError is the handshake's alone: endpoints._Connection makes a reset of one that comes later."""


class Transport:
    """One API server with one set of headers. Every failure is a ClusterError, cut and masked.

    The pool is opened by the first call, so that making a reader touches no network; one that could not connect is
    dropped, and the next call resolves and checks the name again.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        open_pool: Callable[[], PinnedPool],
        headers: Mapping[str, str],
        *,
        ca_fingerprint: str = "",
    ) -> None:
        self.endpoint = endpoint
        self.ca_fingerprint = ca_fingerprint
        self._open_pool = open_pool
        self._headers = {"User-Agent": "MeshUI", "Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        self._pool: PinnedPool | None = None
        self._lock = threading.Lock()

    def get(self, path: str, *, limit: int = MAX_OBJECT_BYTES, accept: str = "") -> bytes:
        """The body of a good answer, in the form `accept` (empty: JSON). Raises ClusterError."""
        return self._answer(
            self._send("GET", path, None, self._headers | ({"Accept": accept} if accept else {})), limit
        )

    def stream(self, path: str, pool: PinnedPool) -> urllib3.BaseHTTPResponse:
        """A good answer whose body is still to come, over a pool of its own (`new_pool`). Raises ClusterError."""
        response = self._send("GET", path, None, self._headers | {"Accept-Encoding": "identity"}, pool)
        if 200 <= response.status < 300:
            return response
        self._answer(response, MAX_ERROR_BYTES)
        raise AssertionError("unreachable: what is no good answer raises")

    def new_pool(self) -> PinnedPool:
        """Connections beside those of single calls, for what holds one for long. Raises as a call that is not sent."""
        try:
            return self._open_pool()
        except EndpointRefusedError as error:
            raise NotSentError(f"{self.endpoint.netloc} is not called: {error}") from error

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        limit: int = MAX_OBJECT_BYTES,
    ) -> bytes:
        """One send; the body of a good answer of at most `limit` bytes after decompression. Raises ClusterError."""
        headers = {**self._headers, "Content-Type": content_type} if body is not None else self._headers
        return self._answer(self._send(method, path, body, headers), limit)

    def _answer(self, response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
        try:
            data = _bounded(response, limit)
        except (HTTPError, OSError) as error:
            response.close()
            raise OutcomeUnknownError(f"The answer of {self.endpoint.netloc} was cut: {short(error)}") from error
        except BadAnswerError:
            response.close()
            raise
        finally:
            response.release_conn()
        if 200 <= response.status < 300:
            return data
        raise error_for(response.status, data, response.headers)

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        pool: PinnedPool | None = None,
    ) -> urllib3.BaseHTTPResponse:
        where = self.endpoint.netloc
        try:
            return (pool or self._opened()).urlopen(
                method,
                self.endpoint.url + path,
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
        except EndpointRefusedError as error:
            raise NotSentError(f"{where} is not called: {error}") from error
        except NOT_SENT as error:
            (pool.clear if pool else self.close)()
            raise NotSentError(f"{where} cannot be reached: {short(error)}") from error
        except HTTPError as error:
            if any(isinstance(cause, TooMuchError) for cause in error.args):
                raise BadAnswerError(f"{where} sends too much: more than 64 KiB of headers.") from error
            raise OutcomeUnknownError(f"{where} gave no answer: {short(error)}") from error

    def _opened(self) -> PinnedPool:
        with self._lock:
            if self._pool is None:
                self._pool = self._open_pool()
            return self._pool

    def close(self) -> None:
        """Drop the connections; the next call opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()


def _bounded(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """The decompressed body in pieces, within `limit`; a 2 GB answer or a gzip bomb stops at the bound.

    The time is bounded below, by the socket. Raises BadAnswerError, HTTPError.
    """
    encoding = response.headers.get("Content-Encoding", "").lower()
    if encoding not in {"", "identity", "gzip"}:
        raise BadAnswerError(f"It answered in the encoding {encoding[:20]}.", status=response.status)
    unzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    pieces: list[bytes] = []
    size = 0
    for raw in response.stream(PIECE, decode_content=False):
        try:
            piece = unzip.decompress(raw, limit - size + 1) if unzip else raw
        except zlib.error as error:
            raise BadAnswerError("Its answer is not gzip.", status=response.status) from error
        size += len(piece)
        if size > limit:
            text = f"It sends too much: more than {limit // 1024} KiB in one answer."
            raise TooLargeError(text, status=response.status)
        pieces.append(piece)
    if unzip is not None and size and not unzip.eof:
        raise OutcomeUnknownError("Its answer was cut within gzip.", status=response.status)
    return b"".join(pieces)


def short(error: BaseException) -> str:
    """The end of an error's text, masked and cut."""
    text = str(getattr(error, "reason", "") or error)
    return masked(text.rpartition(": ")[2] or text)[:200]


SIMPLE: dict[int, type[ClusterError]] = {
    403: ForbiddenError,
    404: ObjectGoneError,
    409: LostRaceError,
    410: ExpiredError,
}


def error_for(status: int, data: bytes, headers: Mapping[str, str]) -> ClusterError:
    """The ClusterError that an answer of `status` means; Kubernetes' own words, cut and masked."""
    body = _status_body(data)
    message = masked(str(body.get("message") or ""))[:MAX_ERROR] or f"It answered {status}."
    reason = masked(str(body.get("reason") or ""))[:100]
    if status < 400:
        where = masked(str(headers.get("Location", "")))[:200]
        return BadAnswerError(f"It redirects to {where}; redirects are never followed.", status=status)
    if status == 401:
        return CredentialRejectedError("It does not accept the credential.", status=status, reason=reason)
    if status == 422 and is_failed_test(body):
        return LostRaceError("It was changed since it was read.", status=status, reason=reason)
    if status == 429:
        return ThrottledError(message, retry_after=_seconds(str(headers.get("Retry-After", ""))))
    if status >= 500:
        return OutcomeUnknownError(f"It answered {status}: {message}"[:MAX_ERROR], status=status, reason=reason)
    return SIMPLE.get(status, InvalidObjectError)(message, status=status, reason=reason)


def is_failed_test(body: JsonObject) -> bool:
    """Whether a 422 is a JSON Patch that does not fit what is there: a failed `test`, a path that went away."""
    details = body.get("details")
    names_faults = isinstance(details, dict) and bool(details.get("causes") or details.get("name"))
    return not names_faults and str(body.get("message") or "") == FAILED_TEST


def _status_body(data: bytes) -> JsonObject:
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(text: str) -> float:
    is_number = text.isascii() and text.isdigit() and len(text) < 9
    return min(float(text), MAX_RETRY_AFTER) if is_number else 1.0


def decoded(data: bytes) -> JsonObject:
    """A JSON object. Raises BadAnswerError."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError("Its answer is not JSON.") from error
    if not isinstance(body, dict):
        raise BadAnswerError("Its answer is not a JSON object.")
    return body
