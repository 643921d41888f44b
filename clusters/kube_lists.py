"""Thin lists of a Kubernetes API server: pages fetched one ahead, items as bytes, metadata alone where that will do.

What is listed is decoded into Structs that name only what is needed; the rest of an item is copied undecoded.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from clusters.clients import (
    BadAnswerError,
    ExpiredError,
    Head,
    Heads,
    Identity,
    Listing,
    ObjectGoneError,
    OutcomeUnknownError,
    Page,
    ServerVersion,
    Slim,
)
from clusters.slims import WorkloadBody, slim_of, thin_of
from clusters.transport import Transport, decoded, error_for
from clusters.watch import Watch
from meshui.lib.typed import decoder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from clusters.clients import ObjectRef, Resource, WatchStream
    from meshui.lib.jsontypes import JsonObject

__all__ = ["KubeReader", "Transport", "decoded", "error_for"]

PAGE = 500
MAX_PAGES = 2_000
MAX_OBJECTS = 5_000_000
MAX_PAGE_BYTES = 64 * 1024 * 1024
LIST_SECONDS = 600.0
LIST_TRIES = 2
AT_ONCE = 4
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
T = TypeVar("T")


class _ListMeta(msgspec.Struct, gc=False, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Top(msgspec.Struct, gc=False):
    """A page without its items: whether there is another one is known before this one is decoded."""

    metadata: _ListMeta


class _Items(msgspec.Struct, gc=False):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Workloads(msgspec.Struct, gc=False):
    metadata: _ListMeta
    items: list[WorkloadBody] | None = None


class _Name(msgspec.Struct, gc=False, rename="camel"):
    """What names one version of one object: everything else of its metadata is skipped."""

    uid: str = ""
    namespace: str = ""
    name: str = ""
    resource_version: str = ""

    def head(self) -> Head:
        return Head(self.uid, self.namespace, self.name, self.resource_version)


class _Named(msgspec.Struct, gc=False):
    metadata: _Name = msgspec.field(default_factory=_Name)


class _NamedItems(msgspec.Struct, gc=False):
    metadata: _ListMeta
    items: list[_Named] | None = None


ITEMS_BEGIN = b',"items":['
MOST_METADATA = 16 * 1024
TOP = decoder_of(_Top)
ITEMS = decoder_of(_Items)
WORKLOADS = decoder_of(_Workloads)
NAMED = decoder_of(_NamedItems)


class KubeReader:
    """The Reader of a Kubernetes API server, and its Lister."""

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

    def list_objects(self, resource: Resource, *, label_selector: str = "", namespace: str = "") -> Listing:
        """All pages of 500; where a continue token expired the list begins again, once."""

        def whole() -> Listing:
            items: list[JsonObject] = []
            version = ""
            for page in self._slims(resource, resource.path(namespace), {"labelSelector": label_selector}):
                items += (slim.body() for slim in page.items)
                version = page.resource_version
            return Listing(resource, tuple(items), version)

        return _again(whole)

    def list_pages(self, resource: Resource) -> Iterator[Page]:
        """Pages of 500, the next one on its way while this one is used; of workloads what WorkloadBody holds."""
        count = 0
        for data in self._bodies(resource, resource.path(), {}):
            page = _thin(resource, data) or _slim(resource, data)
            count += len(page.items)
            _count(resource, count)
            yield page

    def list_metadata(self, resource: Resource) -> Heads:
        """Pages of 500, of which only names and versions travel."""

        def whole() -> Heads:
            heads: list[Head] = []
            version = ""
            for data in self._bodies(resource, resource.path(), {}, METADATA):
                page = _page(NAMED, data)
                heads += (item.metadata.head() for item in page.items or ())
                version = page.metadata.resource_version
                _count(resource, len(heads))
            return Heads(heads, version)

        return _again(whole)

    def get_slims(self, resource: Resource, wanted: Sequence[Head]) -> Iterator[Slim]:
        """One GET each, four under way; what is no longer there is left out."""

        def read(head: Head) -> Slim | None:
            try:
                return slim_of(self.transport.get(resource.path(head.namespace, head.name)), resource)
            except ObjectGoneError:
                return None

        if len(wanted) == 1:
            found = read(wanted[0])
            yield from [found] if found else []
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="get") as pool:
            yield from (slim for slim in pool.map(read, wanted) if slim is not None)

    def watch(self, resource: Resource, resource_version: str) -> WatchStream:
        """Over a connection of its own."""
        return Watch(self.transport, resource, resource_version)

    def _slims(self, resource: Resource, path: str, query: Mapping[str, str]) -> Iterator[Page]:
        count = 0
        for data in self._bodies(resource, path, query):
            page = _slim(resource, data)
            count += len(page.items)
            _count(resource, count)
            yield page

    def _bodies(self, resource: Resource, path: str, query: Mapping[str, str], accept: str = "") -> Iterator[bytes]:
        """The bytes of each page, the next one fetched meanwhile. Raises ClusterError."""

        def get(token: str) -> bytes:
            asked = _query({"limit": str(PAGE), **query, "continue": token})
            return self.transport.get(f"{path}?{asked}", limit=MAX_PAGE_BYTES, accept=accept)

        end = time.monotonic() + LIST_SECONDS
        data = get("")
        with ThreadPoolExecutor(1, thread_name_prefix="page") as ahead:
            for _ in range(MAX_PAGES):
                token = _token(data)
                following = ahead.submit(get, token) if token else None
                yield data
                if following is None:
                    return
                data = following.result()
                if time.monotonic() > end:
                    raise OutcomeUnknownError(f"Its list of {resource.plural} took longer than {LIST_SECONDS:g} s.")
        raise BadAnswerError(f"The list of {resource.plural} does not end after {MAX_PAGES} pages.")

    def get_object(self, ref: ObjectRef) -> JsonObject | None:
        """One object with managedFields; None for 404."""
        try:
            return decoded(self.transport.get(ref.path()))
        except ObjectGoneError:
            return None

    def close(self) -> None:
        """Drop the connections."""
        self.transport.close()


def _again(whole: Callable[[], T]) -> T:
    """Once more where a page expired meanwhile: what was read so far counts for nothing."""
    for left in reversed(range(LIST_TRIES)):
        try:
            return whole()
        except ExpiredError:
            if not left:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def _thin(resource: Resource, data: bytes) -> Page | None:
    """A page of workloads, looked through once; None where one of them is odd: then each is looked at by itself."""
    if resource.group != "apps":
        return None
    try:
        page = WORKLOADS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Page([thin_of(item, resource) for item in page.items or ()], page.metadata.resource_version)


def _slim(resource: Resource, data: bytes) -> Page:
    page = _page(ITEMS, data)
    return Page([slim_of(item, resource) for item in page.items or ()], page.metadata.resource_version)


def _token(data: bytes) -> str:
    """Of the next page. Where its metadata stands first, as it does in all but lists of custom resources, it is
    enough to read so far.
    """
    at = data.find(ITEMS_BEGIN, 0, MOST_METADATA)
    if at > 0:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return TOP.decode(data[:at] + b"}").metadata.continue_
    return _page(TOP, data).metadata.continue_


def _page(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError("Its list is not one that Kubernetes would send.") from error


def _count(resource: Resource, count: int) -> None:
    if count > MAX_OBJECTS:
        raise BadAnswerError(f"It sends too much: more than {MAX_OBJECTS} {resource.plural}.")


def _query(values: Mapping[str, str]) -> str:
    return urlencode({key: value for key, value in values.items() if value})
