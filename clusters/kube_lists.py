"""Thin reading of a Kubernetes API server: urllib3 and msgspec over a pinned pool, with bounds on every answer.

The transport also classifies what went wrong for the writer: nothing sent, unknown, refused.
"""

from __future__ import annotations

import json
import time
import zlib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
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
from meshui.lib.logs import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import ObjectRef, Resource
    from clusters.endpoints import PinnedPool
    from meshui.lib.jsontypes import JsonObject

PAGE = 500
MAX_PAGES = 2_000
MAX_PAGE_BYTES = 64 * 1024 * 1024
MAX_OBJECT_BYTES = 2 * 1024 * 1024
MAX_ERROR = 2_048
PIECE = 256 * 1024
PAGE_SECONDS = 60.0
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_SENT = (NewConnectionError, ConnectTimeoutError, NameResolutionError, SSLError)


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _Meta
    items: list[dict[str, Any]] | None = None


class Transport:
    """One API server through one pool, with one set of headers. Every failure is a ClusterError, cut and masked."""

    def __init__(self, pool: PinnedPool, headers: Mapping[str, str]) -> None:
        self.pool = pool
        self.headers = {"User-Agent": "MeshUI", "Accept": "application/json", "Accept-Encoding": "gzip", **headers}

    def get(self, path: str, *, limit: int = MAX_OBJECT_BYTES) -> bytes:
        """The body of a good answer. Raises ClusterError."""
        return self.call("GET", path, limit=limit)

    def call(self, method: str, path: str, *, body: bytes | None = None, limit: int = MAX_OBJECT_BYTES) -> bytes:
        """One send; the body of a good answer of at most `limit` bytes after decompression. Raises ClusterError."""
        headers = {**self.headers, "Content-Type": "application/json"} if body is not None else self.headers
        url = self.pool.endpoint.url + path
        try:
            response = self.pool.urlopen(
                method, url, body=body, headers=headers, preload_content=False, decode_content=False
            )
        except NOT_SENT as error:
            raise NotSentError(f"{self.pool.endpoint.netloc} cannot be reached: {_short(error)}") from error
        except HTTPError as error:
            raise OutcomeUnknownError(f"{self.pool.endpoint.netloc} gave no answer: {_short(error)}") from error
        try:
            data = _bounded(response, limit)
        except (HTTPError, OSError) as error:
            raise OutcomeUnknownError(f"The answer of {self.pool.endpoint.netloc} was cut: {_short(error)}") from error
        finally:
            response.release_conn()
        if 200 <= response.status < 300:
            return data
        raise error_for(response.status, data, dict(response.headers))

    def close(self) -> None:
        """Drop the connections."""
        self.pool.clear()


def _bounded(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """The decompressed body in pieces, within bytes and time; a 2 GB answer or a gzip bomb stops at the bound."""
    encoding = response.headers.get("Content-Encoding", "").lower()
    if encoding not in {"", "identity", "gzip"}:
        raise BadAnswerError(f"It answered in the encoding {encoding[:20]}.")
    unzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    deadline = time.monotonic() + PAGE_SECONDS
    pieces: list[bytes] = []
    size = 0
    for raw in response.stream(PIECE, decode_content=False):
        piece = unzip.decompress(raw, limit - size + 1) if unzip else raw
        size += len(piece)
        if size > limit or (unzip and unzip.unconsumed_tail):
            response.close()
            raise BadAnswerError(f"It sends too much: more than {limit // 1024} KiB in one answer.")
        if time.monotonic() > deadline:
            response.close()
            raise OutcomeUnknownError(f"It took longer than {PAGE_SECONDS:g} s for one answer.")
        pieces.append(piece)
    return b"".join(pieces)


def _short(error: BaseException) -> str:
    text = str(getattr(error, "reason", "") or error)
    return masked(text.rpartition(": ")[2] or text)[:200]


def error_for(status: int, data: bytes, headers: Mapping[str, str]) -> ClusterError:  # noqa: PLR0911 - one a class
    """The ClusterError that an answer of `status` means; Kubernetes' own words, cut and masked."""
    body = _status_body(data)
    message = masked(str(body.get("message") or ""))[:MAX_ERROR] or f"It answered {status}."
    reason = str(body.get("reason") or "")
    if 300 <= status < 400:
        where = masked(headers.get("Location", ""))[:200]
        return BadAnswerError(f"It redirects to {where}; redirects are never followed.", status=status)
    if status == 401:
        return CredentialRejectedError("It does not accept the credential.", status=status)
    if status == 403:
        return ForbiddenError(message, status=status, reason=reason)
    if status == 404:
        return ObjectGoneError(message, status=status, reason=reason)
    if status == 409 or (status == 422 and is_failed_test(body)):
        return LostRaceError(message, status=status, reason=reason)
    if status == 429:
        return ThrottledError(message, retry_after=_seconds(headers.get("Retry-After", "")))
    if status >= 500:
        return OutcomeUnknownError(f"It answered {status}: {message}", status=status, reason=reason)
    return InvalidObjectError(message, status=status, reason=reason)


def is_failed_test(body: JsonObject) -> bool:
    """A 422 by a JSON Patch `test` that failed names no cause; a validation fault names each field."""
    details = body.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return not causes and "testing" in str(body.get("message") or "").lower()


def _status_body(data: bytes) -> JsonObject:
    try:
        body = json.loads(data[: MAX_OBJECT_BYTES])
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(text: str) -> float:
    return min(float(text), 60.0) if text.isdigit() else 1.0


class KubeReader:
    """The Reader of a Kubernetes API server."""

    def __init__(self, transport: Transport, ca_fingerprint: str) -> None:
        self.transport = transport
        self.ca_fingerprint = ca_fingerprint

    def version(self) -> ServerVersion:
        """GET /version."""
        body = decoded(self.transport.get("/version"))
        return ServerVersion(str(body.get("gitVersion") or "")[:60], str(body.get("platform") or "")[:60])

    def identity(self) -> Identity:
        """The uid of kube-system, with the CA that the connection trusts."""
        body = decoded(self.transport.get("/api/v1/namespaces/kube-system"))
        metadata = cast("dict[str, Any]", body.get("metadata") or {})
        return Identity(str(metadata.get("uid") or "")[:64], self.ca_fingerprint)

    def api_groups(self) -> frozenset[str]:
        """GET /apis."""
        body = decoded(self.transport.get("/apis"))
        groups = cast("list[dict[str, Any]]", body.get("groups") or [])
        return frozenset({"v1", *(v["groupVersion"] for group in groups for v in group.get("versions") or [])})

    def list_objects(self, resource: Resource, *, label_selector: str = "") -> Listing:
        """All pages of 500; a continue token that expired starts the list again, once."""
        try:
            return self._list(resource, label_selector)
        except InvalidObjectError as error:
            if error.status != 410:
                raise
            return self._list(resource, label_selector)

    def _list(self, resource: Resource, label_selector: str) -> Listing:
        items: list[JsonObject] = []
        token = ""
        for _ in range(MAX_PAGES):
            query = {"limit": str(PAGE), "labelSelector": label_selector, "continue": token}
            path = f"{resource.path()}?{_query(query)}"
            page = _page(self.transport.get(path, limit=MAX_PAGE_BYTES))
            items += (_slim(item, resource) for item in page.items or ())
            token = page.metadata.continue_
            if not token:
                return Listing(resource, tuple(items), page.metadata.resource_version)
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
            body = decoded(self.transport.call("POST", path, body=json.dumps(review).encode()))
            status = cast("dict[str, Any]", body.get("status") or {})
            reason = masked(str(status.get("reason") or ""))[:200]
            yield AccessAnswer(verb, group, resource, namespace, bool(status.get("allowed")), reason)

    def close(self) -> None:
        """Drop the connections."""
        self.transport.close()


def decoded(data: bytes) -> JsonObject:
    """A JSON object. Raises BadAnswerError."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswerError("Its answer is not JSON.") from error
    if not isinstance(body, dict):
        raise BadAnswerError("Its answer is not a JSON object.")
    return body


def _page(data: bytes) -> _List:
    try:
        return msgspec.json.decode(data, type=_List)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswerError("Its list is not one that Kubernetes would send.") from error


def _slim(item: dict[str, Any], resource: Resource) -> JsonObject:
    """Without managedFields and kubectl's copy of the object, with the kind that items of a list do not say."""
    metadata = dict(item.get("metadata") or {})
    metadata.pop("managedFields", None)
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        metadata["annotations"] = {k: v for k, v in annotations.items() if k != LAST_APPLIED}
    return {**item, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _query(values: Mapping[str, str]) -> str:
    return urlencode({k: v for k, v in values.items() if v})
