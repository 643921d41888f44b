"""What the rest of MeshUI knows of a cluster's API: readers, writers, what they take, give and raise.

Imports neither Django nor a client library. Readers and writers are different types: what can read cannot write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshui.lib.jsontypes import Json, JsonObject


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """One kind as one version serves it. `namespaced` False: cluster-wide."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`networking.istio.io/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def gvk(self) -> str:
        """`networking.istio.io/v1/VirtualService`."""
        return f"{self.api_version}/{self.kind}"

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of the collection or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """One object of one cluster."""

    resource: Resource
    namespace: str
    name: str

    def path(self) -> str:
        """The URL path of the object."""
        return self.resource.path(self.namespace, self.name)

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.resource.kind} {where}"


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What /version says."""

    git_version: str
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which cluster this is: the uid of namespace kube-system and the SHA-256 of the CA bundle, hex."""

    uid: str
    ca_fingerprint: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects of one kind at one resourceVersion. `items` are bodies without managedFields."""

    resource: Resource
    items: tuple[JsonObject, ...]
    resource_version: str


class Head(msgspec.Struct, gc=False, frozen=True):
    """What names one version of one object."""

    uid: str
    namespace: str
    name: str
    resource_version: str


class Slim(msgspec.Struct, gc=False, frozen=True):
    """An object as lists and watches bring it: `data` is its JSON without managedFields, not decoded yet."""

    head: Head
    data: bytes

    def body(self) -> JsonObject:
        """Its JSON, decoded. Raises BadAnswerError: it is only now that every part of it is looked at."""
        try:
            return cast("JsonObject", msgspec.json.decode(self.data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswerError(f"{self.head.name[:253]} is not an object that Kubernetes would send.") from error


class Page(msgspec.Struct, gc=False, frozen=True):
    """A part of a list. `resource_version` is that of the whole list, the same on each of its pages."""

    items: list[Slim]
    resource_version: str


class Heads(msgspec.Struct, gc=False, frozen=True):
    """A whole list, as heads alone."""

    items: list[Head]
    resource_version: str


class WatchEvent(msgspec.Struct, gc=False, frozen=True):
    """One event of a watch. `item` None: a bookmark, which moves the version alone."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    resource_version: str
    item: Slim | None = None


class WatchStream(Protocol):
    """A running watch: iterating blocks for the next event and ends when the server, the time or `stop` ends it.

    Iterating raises ExpiredError (list again), ForbiddenError (watching is refused) or another ClusterError.
    """

    def __iter__(self) -> Iterator[WatchEvent]: ...

    def stop(self) -> None:
        """End it, from any thread."""


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation of RFC 6902; `value` is ignored for remove."""

    op: Literal["test", "replace", "add", "remove"]
    path: str
    value: Json = None

    def to_json(self) -> JsonObject:
        """As it is sent."""
        if self.op == "remove":
            return {"op": self.op, "path": self.path}
        return {"op": self.op, "path": self.path, "value": self.value}


@dataclass(frozen=True, slots=True)
class GuardedPatch:
    """A JSON Patch whose first operations test what must still be true: uid, resourceVersion, old values."""

    ref: ObjectRef
    operations: tuple[PatchOperation, ...] = field(default=())


class Reader(Protocol):
    """Reads one cluster. Every call may raise a ClusterError; none blocks for longer than its deadline."""

    def version(self) -> ServerVersion: ...

    def identity(self) -> Identity: ...

    def api_groups(self) -> frozenset[str]:
        """`group/version` of everything served, `v1` for core."""

    def list_objects(self, resource: Resource, *, label_selector: str = "", namespace: str = "") -> Listing:
        """All objects of a kind, of one namespace or (empty) of all; a page that fails fails the whole list."""

    def get_object(self, ref: ObjectRef) -> JsonObject | None:
        """One object with managedFields; None where there is none (404)."""

    def close(self) -> None:
        """Drop the connections."""


class Lister(Reader, Protocol):
    """A Reader that also brings whole kinds, a part at a time, and what becomes of them."""

    def list_pages(self, resource: Resource) -> Iterator[Page]:
        """Pages of all objects of a kind. Raises ExpiredError where it must begin again from nothing."""

    def list_metadata(self, resource: Resource) -> Heads:
        """All objects of a kind by name and version; begins again once where it expired."""

    def get_slims(self, resource: Resource, wanted: Sequence[Head]) -> Iterator[Slim]:
        """Those of `wanted` that are there, as they are now, four at a time."""

    def watch(self, resource: Resource, resource_version: str) -> WatchStream:
        """What becomes of a kind after `resource_version`. Nothing is sent before it is iterated."""


@dataclass(frozen=True, slots=True)
class GuardedCreate:
    """An object to be made where none is: 409 if there is one. `body` without uid, resourceVersion and status."""

    ref: ObjectRef
    body: JsonObject


@dataclass(frozen=True, slots=True)
class GuardedDelete:
    """An object to be deleted if it is still this very version of this very object."""

    ref: ObjectRef
    uid: str
    resource_version: str


Write = GuardedPatch | GuardedCreate | GuardedDelete


class Writer(Protocol):
    """Writes one cluster: guarded JSON Patch, create, delete with preconditions; never force, merge patch or PUT.

    One send per call.
    """

    def dry_run(self, write: Write) -> JsonObject | None:
        """The object as the server would store it, None for a delete; nothing is stored."""

    def write(self, write: Write) -> JsonObject | None:
        """The object as stored, None for a delete."""

    def read(self, ref: ObjectRef) -> JsonObject | None:
        """The object as it is now, None where there is none."""

    def identity(self) -> Identity: ...

    def close(self) -> None:
        """Drop the connections."""


class ClusterError(Exception):
    """A call to a cluster that did not succeed. `message` is cut and safe to show; the cause is chained.

    `code` is a stable word; `retryable`: the same call may succeed later.
    """

    code: ClassVar[str] = "cluster"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason


class NotSentError(ClusterError):
    """Nothing reached the server: DNS, connect or TLS failed before any byte of the request."""

    code = "not_sent"
    retryable = True


class OutcomeUnknownError(ClusterError):
    """The request was sent and no sound answer came: timeout, reset, cut answer, or a 5xx."""

    code = "unknown"
    retryable = True


class LostRaceError(ClusterError):
    """A precondition no longer holds: 409 Conflict, or 422 by a failed `test`. Nothing was written."""

    code = "lost_race"


class ThrottledError(ClusterError):
    """429: nothing was done; ask again after `retry_after` seconds."""

    code = "throttled"
    retryable = True

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, status=429)
        self.retry_after = retry_after


class CredentialRejectedError(ClusterError):
    """401: the credential is not accepted."""

    code = "credential_rejected"


class ForbiddenError(ClusterError):
    """403: the credential may not do this; the message names verb and resource."""

    code = "forbidden"


class InvalidObjectError(ClusterError):
    """400 or 422: schema, strict decoding or an admission webhook refused the object; the message is theirs."""

    code = "invalid"


class ObjectGoneError(ClusterError):
    """404 on a write."""

    code = "missing"


class ExpiredError(InvalidObjectError):
    """410: the page or version asked for is too old; list again."""

    code = "expired"


class BadAnswerError(ClusterError):
    """The answer breaks the protocol or a bound: a redirect, too large, not JSON, endless pages."""

    code = "bad_answer"


class TooLargeError(BadAnswerError):
    """The answer is larger than a bound allows: a smaller question may be answered."""
