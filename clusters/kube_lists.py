"""Thin reading of a Kubernetes API server: urllib3 and msgspec over a pinned pool, with bounds on every answer.

The transport also classifies what went wrong for the writer: nothing sent, unknown, refused.
"""

from __future__ import annotations

import json
import threading
import zlib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

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
    AccessAnswer,
    BadAnswerError,
    ClusterError,
    CredentialRejectedError,
    ForbiddenError,
    Identity,
    InvalidObjectError,
    Listing,
    LostRaceError,
    NotSentError,
    ObjectGoneError,
    OutcomeUnknownError,
    ServerVersion,
    ThrottledError,
)
from clusters.endpoints import EndpointRefusedError, TooMuchError
from meshui.lib.logs import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import urllib3

    from clusters.clients import ObjectRef, Resource
    from clusters.endpoints import Endpoint, PinnedPool
    from meshui.lib.jsontypes import JsonObject

PAGE = 500
MAX_PAGES = 2_000
MAX_OBJECTS = 5_000_000
MAX_PAGE_BYTES = 64 * 1024 * 1024
MAX_OBJECT_BYTES = 2 * 1024 * 1024
MAX_ERROR = 2_048
PIECE = 256 * 1024
LIST_TRIES = 3
MAX_RETRY_AFTER = 60.0
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FAILED_TEST = "the server rejected our request due to an error in our request"
"""All that a real server says of a JSON Patch whose `test` failed; faults of validation name the object instead."""
NOT_SENT = (NewConnectionError, ConnectTimeoutError, NameResolutionError, EmptyPoolError, SSLError)
"""SSLError is the handshake's alone: endpoints._Connection makes a reset of one that comes later."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Meta(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is kept of an object's metadata; managedFields and everything else is skipped undecoded."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, msgspec.Raw] | None = None
    owner_references: list[dict[str, Any]] | None = None


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

    def get(self, path: str, *, limit: int = MAX_OBJECT_BYTES) -> bytes:
        """The body of a good answer. Raises ClusterError."""
        return self.call("GET", path, limit=limit)

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
        response = self._send(method, path, body, headers)
        try:
            data = _bounded(response, limit)
        except (HTTPError, OSError) as error:
            response.close()
            raise OutcomeUnknownError(f"The answer of {self.endpoint.netloc} was cut: {_short(error)}") from error
        except BadAnswerError:
            response.close()
            raise
        finally:
            response.release_conn()
        if 200 <= response.status < 300:
            return data
        raise error_for(response.status, data, response.headers)

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        where = self.endpoint.netloc
        try:
            return self._opened().urlopen(
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
            self.close()
            raise NotSentError(f"{where} cannot be reached: {_short(error)}") from error
        except HTTPError as error:
            if any(isinstance(cause, TooMuchError) for cause in error.args):
                raise BadAnswerError(f"{where} sends too much: more than 64 KiB of headers.") from error
            raise OutcomeUnknownError(f"{where} gave no answer: {_short(error)}") from error

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
            raise BadAnswerError(text, status=response.status)
        pieces.append(piece)
    if unzip is not None and size and not unzip.eof:
        raise OutcomeUnknownError("Its answer was cut within gzip.", status=response.status)
    return b"".join(pieces)


def _short(error: BaseException) -> str:
    text = str(getattr(error, "reason", "") or error)
    return masked(text.rpartition(": ")[2] or text)[:200]


SIMPLE: dict[int, type[ClusterError]] = {
    403: ForbiddenError,
    404: ObjectGoneError,
    409: LostRaceError,
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


class KubeReader:
    """The Reader of a Kubernetes API server."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def version(self) -> ServerVersion:
        """GET /version."""
        body = decoded(self.transport.get("/version"))
        return ServerVersion(str(body.get("gitVersion") or "")[:60], str(body.get("platform") or "")[:60])

    def identity(self) -> Identity:
        """The uid of kube-system, with the CA that the connection trusts."""
        body = decoded(self.transport.get("/api/v1/namespaces/kube-system"))
        metadata = body.get("metadata")
        uid = metadata.get("uid") if isinstance(metadata, dict) else None
        if not isinstance(uid, str) or not 0 < len(uid) <= 64:
            raise BadAnswerError("Its namespace kube-system has no uid.")
        return Identity(uid, self.transport.ca_fingerprint)

    def api_groups(self) -> frozenset[str]:
        """GET /apis."""
        body = decoded(self.transport.get("/apis"))
        try:
            groups = cast("list[dict[str, Any]]", body.get("groups") or [])
            return frozenset({"v1", *(str(v["groupVersion"]) for group in groups for v in group.get("versions") or [])})
        except (TypeError, KeyError, AttributeError) as error:
            raise BadAnswerError("Its list of API groups is not one that Kubernetes would send.") from error

    def list_objects(self, resource: Resource, *, label_selector: str = "") -> Listing:
        """All pages of 500; where a continue token expired the list begins again, three tries in all."""
        for left in reversed(range(LIST_TRIES)):
            try:
                return self._list(resource, label_selector)
            except InvalidObjectError as error:
                if error.status != 410 or not left:
                    raise
        raise AssertionError("unreachable")

    def _list(self, resource: Resource, label_selector: str) -> Listing:
        items: list[JsonObject] = []
        token = ""
        for _ in range(MAX_PAGES):
            query = {"limit": str(PAGE), "labelSelector": label_selector, "continue": token}
            page = _page(self.transport.get(f"{resource.path()}?{_query(query)}", limit=MAX_PAGE_BYTES))
            items += (_slim(item, resource) for item in page.items or ())
            token = page.metadata.continue_
            if not token:
                return Listing(resource, tuple(items), page.metadata.resource_version)
            if len(items) > MAX_OBJECTS:
                raise BadAnswerError(f"It sends too much: more than {MAX_OBJECTS} {resource.plural}.")
        raise BadAnswerError(f"The list of {resource.plural} does not end after {MAX_PAGES} pages.")

    def get_object(self, ref: ObjectRef) -> JsonObject | None:
        """One object with managedFields; None for 404."""
        try:
            return decoded(self.transport.get(ref.path()))
        except ObjectGoneError:
            return None

    def review_access(self, asked: Sequence[tuple[str, str, str, str]]) -> Iterator[AccessAnswer]:
        """One SelfSubjectAccessReview each."""
        for verb, group, resource, namespace in asked:
            attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            status = decoded(self.transport.call("POST", path, body=json.dumps(review).encode())).get("status")
            found = status if isinstance(status, dict) else {}
            reason = masked(str(found.get("reason") or ""))[:200]
            yield AccessAnswer(verb, group, resource, namespace, found.get("allowed") is True, reason)

    def close(self) -> None:
        """Drop the connections."""
        self.transport.close()


def decoded(data: bytes) -> JsonObject:
    """A JSON object. Raises BadAnswerError."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError("Its answer is not JSON.") from error
    if not isinstance(body, dict):
        raise BadAnswerError("Its answer is not a JSON object.")
    return body


def _page(data: bytes) -> _List:
    try:
        return msgspec.json.decode(data, type=_List)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError("Its list is not one that Kubernetes would send.") from error


def _slim(raw: msgspec.Raw, resource: Resource) -> JsonObject:
    """Without managedFields and kubectl's copy of the object, with the kind that items of a list do not say."""
    if len(raw) > MAX_OBJECT_BYTES:
        raise BadAnswerError(f"It sends too much: one of its {resource.plural} is larger than 2 MiB.")
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        meta = msgspec.json.decode(fields.pop("metadata", msgspec.Raw(b"{}")), type=_Meta)
        if meta.annotations:
            meta.annotations.pop(LAST_APPLIED, None)
        metadata = msgspec.json.decode(msgspec.json.encode(meta))
        body = {key: msgspec.json.decode(value) for key, value in fields.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError(f"One of its {resource.plural} is not one that Kubernetes would send.") from error
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _query(values: Mapping[str, str]) -> str:
    return urlencode({key: value for key, value in values.items() if value})
