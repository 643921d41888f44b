"""What this process knows of a cluster: for each kind which object in which version, and the bodies that are needed.

Bodies are kept packed, as bytes; the rows of the inventory are made of them, and a version that is known is not read
again. Pure: no database, no network.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from clusters.clients import BadAnswerError, Head, Resource, Slim
from clusters.slims import FIELDS, META, NO_META
from meshes.adapters.base import Problem
from meshes.adapters.shapes import NUL, Anything
from meshes.adapters.shapes import Service as ServiceShape
from meshes.services.kinds import NAMESPACES, SERVICES, WORKLOADS, service_of, trimmed
from meshui.lib.typed import decoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshes.adapters.base import Detected, Injection
    from meshes.services.web import Web
    from meshui.lib.jsontypes import JsonObject

MAX_STOCK_BYTES = 512 * 1024 * 1024
MOST_BURIED = 10_000
MAX_NUMBER = 20


class Held(msgspec.Struct, gc=False, frozen=True):
    """One object. `packed` is its slim JSON, compressed, or nothing; `content` its hash without version and status."""

    head: Head
    content: bytes = b""
    packed: bytes = b""

    def slim(self) -> Slim:
        """As it was read."""
        return Slim(self.head, zlib.decompress(self.packed))


@dataclass
class KindStock:
    """One kind. `keeps` says what of an object: nothing but its version, or its body too.

    `version` is how far the list and the events seen reach; None: never listed whole.
    """

    resource: Resource
    keeps: bool
    held: dict[str, Held] = field(default_factory=dict)
    faults: dict[str, tuple[str, Problem]] = field(default_factory=dict)
    version: str | None = None
    size: int = 0
    _floor: int = 0
    _buried: dict[str, int] = field(default_factory=dict)

    @property
    def is_listed(self) -> bool:
        """Whether all of it is known."""
        return self.version is not None

    @property
    def problems(self) -> list[Problem]:
        """Objects that are not the shape of their kind."""
        return [problem for _, problem in self.faults.values()]

    def known(self, uid: str) -> str | None:
        """The version that is known of an object, sound or not."""
        if found := self.held.get(uid):
            return found.head.resource_version
        return self.faults[uid][0] if uid in self.faults else None

    def uids(self) -> set[str]:
        """All that are known, sound or not."""
        return {*self.held, *self.faults}

    def put(self, slim: Slim) -> Slim | None:
        """Know `slim`; what is new of it for its row, or None. Raises BadAnswerError (it sends too much)."""
        uid, version = slim.head.uid or f"?{slim.head.namespace}/{slim.head.name}", slim.head.resource_version
        if version and self.known(uid) == version:
            return None
        try:
            kept = self._sound(slim)
        except BadAnswerError as error:
            self._drop(uid)
            what = f"It is not what a {self.resource.kind} looks like: {error.message}."
            self.faults[uid] = (version, Problem(_named(self.resource, slim.head), what))
            return None
        self._drop(uid)
        self.faults.pop(uid, None)
        body = zlib.compress(kept.data, 1) if self.keeps else b""
        self.held[uid] = Held(slim.head, content_of(kept) if self.keeps else b"", body)
        self.size += len(body)
        if self.size > MAX_STOCK_BYTES:
            raise BadAnswerError(f"It sends too much: more than {MAX_STOCK_BYTES >> 20} MiB of {self.resource.plural}.")
        return kept

    def forget(self, uid: str) -> bool:
        """Whether it was known, and sound."""
        self.faults.pop(uid, None)
        return self._drop(uid)

    def _drop(self, uid: str) -> bool:
        found = self.held.pop(uid, None)
        self.size -= len(found.packed) if found else 0
        return found is not None

    def clear(self) -> None:
        """Know nothing of it."""
        self.held.clear()
        self.faults.clear()
        self.version, self.size = None, 0

    def listed_at(self, version: str) -> None:
        """All of it is known as of `version`: what is older comes too late from now on."""
        self.version = version
        self._floor = max(self._floor, number(version))
        self._buried.clear()

    def reached(self, version: str) -> None:
        """Everything up to `version` has been seen."""
        if number(version) >= number(self.version or ""):
            self.version = version

    def is_late(self, head: Head) -> bool:
        """Whether an event tells what is known already, or older than that."""
        told = number(head.resource_version)
        if not told:
            return head.resource_version == self.known(head.uid)
        known = number(self.known(head.uid) or "")
        return told <= max(known, self._floor, self._buried.get(head.uid, 0))

    def bury(self, head: Head) -> bool:
        """It was deleted at this version: a late event does not bring it back. Whether it was known, and sound."""
        if len(self._buried) >= MOST_BURIED:
            self._buried.pop(next(iter(self._buried)))
        self._buried[head.uid] = number(head.resource_version)
        return self.forget(head.uid)

    def bodies(self) -> list[JsonObject]:
        """All sound objects, decoded."""
        return [held.slim().body() for held in self.held.values()]

    def _sound(self, slim: Slim) -> Slim:
        """What is kept of it. Raises BadAnswerError where it is not the shape of its kind."""
        _require_shape(self.resource, slim)
        if self.resource in WORKLOADS:
            return trimmed(slim)
        if self.resource == SERVICES:
            service_of(slim)
        if self.keeps:
            slim.body()  # every part of it is looked at once, here
        return slim


def content_of(slim: Slim) -> bytes:
    """Of everything but what moves by itself: version, generation, status."""
    fields = FIELDS.decode(slim.data)
    meta = META.decode(fields.pop("metadata", NO_META))
    fields.pop("status", None)
    meta.resource_version, meta.generation = "", 0
    return hashlib.blake2b(msgspec.json.encode([fields, meta], order="sorted"), digest_size=16).digest()


def number(version: str) -> int:
    """A resourceVersion to compare; 0 where it is none that can be."""
    return int(version) if version.isascii() and version.isdigit() and len(version) <= MAX_NUMBER else 0


def _require_shape(resource: Resource, slim: Slim) -> None:
    try:
        decoded(slim.data, ServiceShape if resource == SERVICES else Anything)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError(str(error)) from error
    if NUL in slim.data:
        raise BadAnswerError("a NUL character stands in it")
    if resource.namespaced and not slim.head.namespace:
        raise BadAnswerError("it stands in no namespace")


def _named(resource: Resource, head: Head) -> str:
    parts = [part[:253] for part in (head.namespace, head.name) if part]
    return f"{resource.kind[:63]} {'/'.join(parts) or '(no name)'}"


@dataclass
class Stock:
    """One cluster. `fence` of the lease under which it was last made whole: whoever reads next may build on it.

    `detected`, `routes` (by uid, the namespace of what is called), `told` (by uid, problems of what is no route),
    `injections` and `tags` are what adapters, by kind, made of it last; `webs`: what bears on what, among `read_of`.
    `asked_pods`: namespaces whose mTLS mode was told by looking at their pods, too. `unserved`: policies that the
    cluster does not have, though it has others in their group and version.
    """

    kinds: dict[Resource, KindStock] = field(default_factory=dict)
    served: frozenset[str] | None = None
    detected: dict[str, Detected] | None = None
    routes: dict[str, dict[str, str]] = field(default_factory=dict)
    told: dict[str, dict[str, tuple[Problem, ...]]] = field(default_factory=dict)
    webs: dict[str, Web] = field(default_factory=dict)
    read_of: dict[str, tuple[Resource, ...]] = field(default_factory=dict)
    injections: dict[str, Mapping[str, Injection]] = field(default_factory=dict)
    tags: dict[str, Mapping[str, str]] = field(default_factory=dict)
    mesh_problems: tuple[Problem, ...] = ()
    route_problems: dict[Resource, tuple[Problem, ...]] = field(default_factory=dict)
    namespace_hashes: dict[str, str] = field(default_factory=dict)
    asked_pods: set[str] = field(default_factory=set)
    unserved: set[Resource] = field(default_factory=set)
    fence: int = 0

    def kind(self, resource: Resource, *, keeps: bool) -> KindStock:
        """What is known of a kind; one that has to keep bodies from now on is read anew."""
        found = self.kinds.get(resource)
        if found is None or (keeps and not found.keeps):
            found = self.kinds[resource] = KindStock(resource, keeps)
        return found

    def is_listed(self, resource: Resource) -> bool:
        """Whether all of a kind is known."""
        found = self.kinds.get(resource)
        return found is not None and found.is_listed

    @property
    def namespaces(self) -> KindStock | None:
        """The namespaces, if they are known."""
        return self.kinds.get(NAMESPACES) if self.is_listed(NAMESPACES) else None

    def problems_of(self, resource: Resource) -> list[Problem]:
        """What of a kind could not be read, and what adapters say of objects that are no routes."""
        found = self.kinds.get(resource)
        return [*(found.problems if found else ()), *self.route_problems.get(resource, ())]
