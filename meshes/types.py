"""The neutral model: what decides where a service's requests go, the same for every mesh. Pure, frozen, no Django.

Weights are basis points (0.01 %); the weights of a rule sum to FULL. Native weights are kept as read beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.clients import ObjectRef, PatchOperation
    from meshui.lib.jsontypes import JsonObject

FULL = 10_000
"""Basis points of the whole."""

StringMatchType = Literal["exact", "prefix", "suffix", "regex", "present"]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A product's version; unknown parts are 0. `text` is as found (tag, digest)."""

    major: int
    minor: int
    patch: int
    text: str

    @classmethod
    def parse(cls, text: str) -> Version:
        """The first n.n[.n] of `text`: `1.31.0-dev` → 1.31.0. Nothing found: 0.0.0, which nobody takes for known."""
        found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
        if found is None:
            return cls(0, 0, 0, text)
        return cls(int(found[1]), int(found[2]), int(found[3] or 0), text)


@dataclass(frozen=True, slots=True)
class PathMatch:
    """`prefix` is by string (`/api` takes `/apix`): VirtualServices. `segments` is by whole parts: the Gateway API.

    They are different matches, and neither is written as the other: that would move requests.
    """

    type: Literal["exact", "prefix", "segments", "regex"]
    value: str


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A header by lower-case name."""

    name: str
    type: StringMatchType
    value: str = ""
    is_inverted: bool = False


@dataclass(frozen=True, slots=True)
class QueryMatch:
    """A query parameter."""

    name: str
    type: StringMatchType
    value: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """All parts must hold (AND). `opaque`: native parts the model has no words for, as (path, canonical JSON) pairs."""

    path: PathMatch | None = None
    methods: tuple[str, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    opaque: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """As one line: `path prefix /api and header x-user exact jason`; empty: every request."""
        parts = [f"path {self.path.type} {self.path.value}"] if self.path else []
        if self.methods:
            parts.append("method " + " or ".join(self.methods))
        parts += [f"header {h.name} {'not ' if h.is_inverted else ''}{h.type} {h.value}".strip() for h in self.headers]
        parts += [f"query {q.name} {q.type} {q.value}".strip() for q in self.query]
        parts += [f"{name} {value}" for name, value in self.opaque]
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Backend:
    """What receives requests. Two backends are the same if their `key` is; `labels` explain a subset, nothing more."""

    kind: Literal["service", "subset"]
    service: str
    namespace: str
    port: int | None = None
    subset: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """`shop/checkout:9080#v2`: the same over clusters and meshes."""
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.namespace}/{self.service}{port}" + (f"#{self.subset}" if self.subset else "")

    @property
    def name(self) -> str:
        """What people call it: the subset, else the service."""
        return self.subset or self.service


@dataclass(frozen=True, slots=True)
class WeightedBackend:
    """A backend and its share. `native_weight` as read: None = absent; text keeps 99.5 or 500m."""

    backend: Backend
    weight_bp: int
    native_weight: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a route, in order; matches are OR-ed, none = all requests.

    `name` is unique in the route (the native name, else `rule-1` …). `extras` names what else the native rule carries
    (retries, mirror, fault …), shown and kept, never ours to change.
    """

    name: str
    matches: tuple[Match, ...] = ()
    backends: tuple[WeightedBackend, ...] = ()
    timeout_ms: int | None = None
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Root:
    """What clients call."""

    service: str
    namespace: str
    port: int | None = None
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """What decides where the requests of one root service go (mesh-reference §11.1)."""

    root: Root
    rules: tuple[Rule, ...]
    protocol: Literal["http", "grpc", "tcp"] = "http"
    scope: str = "producer"

    def to_json(self) -> JsonObject:
        """For storage: dicts and lists alone (to_builtins would keep tuples). `from_json` is its inverse."""
        return cast("JsonObject", msgspec.json.decode(msgspec.json.encode(self)))

    @classmethod
    def from_json(cls, data: Any) -> Route:
        """Raises msgspec.ValidationError on anything that `to_json` did not make."""
        return converted(data, cls)

    def intent(self) -> JsonObject:
        """The part that people approve and the digest covers: root, scope, rules, matches, backends; nothing native."""
        rules: list[JsonObject] = [
            {
                "name": rule.name,
                "matches": [{k: v for k, v in m.items() if v is not None} for m in msgspec.to_builtins(rule.matches)],
                "backends": [{"key": b.backend.key, "weight_bp": b.weight_bp} for b in rule.backends],
            }
            for rule in self.rules
        ]
        root: JsonObject = {"service": self.root.service, "namespace": self.root.namespace}
        if self.root.port is not None:
            root["port"] = self.root.port
        return {"root": root, "scope": self.scope, "protocol": self.protocol, "rules": cast("Any", rules)}


@dataclass(frozen=True, slots=True)
class LiveRoute:
    """A route as one cluster holds it: the neutral reading and the native body it came from."""

    route: Route
    ref: ObjectRef
    body: JsonObject

    @property
    def metadata(self) -> JsonObject:
        """metadata of the native object."""
        return cast("JsonObject", self.body.get("metadata") or {})

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid") or "")

    @property
    def resource_version(self) -> str:
        return str(self.metadata.get("resourceVersion") or "")

    @property
    def generation(self) -> int:
        value = self.metadata.get("generation")
        return value if isinstance(value, int) else 0

    @property
    def annotations(self) -> dict[str, str]:
        found = self.metadata.get("annotations")
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Projection:
    """The part of a live object that decides routing; weights by ratio, so 9/1 and 90/10 are the same.

    `content` is canonical-JSON safe. `hash` = SHA-256(canonical(uid + content)), hex: the base of a plan.
    `content_hash` is the same without the uid: of an object that is not there yet, or not any more.
    """

    content: JsonObject
    hash: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A field the mesh cannot hold exactly. `moves_requests` True: refused, never approved."""

    path: str
    reason: str
    moves_requests: bool = False
    error_bp: int = 0


@dataclass(frozen=True, slots=True)
class NativeWrite:
    """One native object to write: the body as wanted and, of a patch, the JSON Patch of its spec (old values tested).

    patch: the operations name the very indices of the body that was read: they hold only under its resourceVersion,
    which the writer's caller tests, with uid and mark. create: `body` is all that is sent. delete: `body` as it was
    read.
    """

    ref: ObjectRef
    body: JsonObject
    operations: tuple[PatchOperation, ...] = ()
    op: Literal["patch", "create", "delete"] = "patch"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What an adapter makes of a desired route: native writes in order, and what could not be held exactly.

    Each write needs the ones before it (a DestinationRule before the VirtualService that names its subsets).
    """

    objects: tuple[NativeWrite, ...]
    losses: tuple[Loss, ...] = ()
    quantisation_error_bp: int = 0


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around a route in its cluster, read live by `MeshAdapter.around`.

    `services`: Service bodies by (namespace, name), only those that are there. `companions`: native objects that bear
    on the route (DestinationRules, ServiceProfiles). `rivals`: other route objects for the same root. `served`: the
    group/versions of the API.
    """

    services: Mapping[tuple[str, str], JsonObject] = field(default_factory=dict)
    companions: tuple[JsonObject, ...] = ()
    rivals: tuple[JsonObject, ...] = ()
    served: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says. `severity` block or warn; `where` a path; `message` says the mend too."""

    id: str
    severity: Literal["block", "warn"]
    where: str
    message: str
    targets: tuple[str, ...] = field(default=())


class Signal(StrEnum):
    """A golden signal, in the same unit of every mesh: requests/s, the fraction that went well, latency in ms."""

    REQUEST_RATE = "request_rate"
    SUCCESS_RATE = "success_rate"
    LATENCY = "latency"


class Grain(StrEnum):
    """What a signal is said of: a service, one backend of its route, or the requests of one source to it."""

    SERVICE = "service"
    BACKEND = "backend"
    EDGE = "edge"


Side = Literal["waypoint", "client", "server", "destination"]
"""Whose proxies count: `destination` is the client's, by where it sent a request instead of what it asked for."""
Key = Literal[
    "namespace", "service", "workload", "version", "backend_namespace", "backend", "source_namespace", "source_workload"
]


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """A condition on a label, as Prometheus has it: a label that is absent is empty, regexes match the whole."""

    label: str
    value: str
    op: Literal["=", "!=", "=~", "!~"] = "="


@dataclass(frozen=True, slots=True)
class Way:
    """One way to count: `metric` where `matches` hold, grouped by the labels of `keys`. `side`: whose proxy counts.

    `good`: what else holds of a request that went well (of SUCCESS_RATE). `to_ms`: what a bound of the histogram is
    multiplied by (of LATENCY; `metric` is then its `_bucket`); 0: no histogram.
    """

    side: Side
    metric: str
    matches: tuple[LabelMatch, ...]
    keys: tuple[tuple[Key, str], ...]
    good: tuple[LabelMatch, ...] = ()
    to_ms: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that name a group; of a histogram the bound, `le`, last."""
        names = tuple(label for _, label in self.keys)
        return (*names, "le") if self.to_ms else names


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """How a mesh counts one signal. Of the ways to count a grain the first side that has data answers.

    The same request is counted by the proxies of both ends, so ways of two sides are never added up. Those of one side
    count different requests (HTTP, gRPC): they are.
    """

    ways: Mapping[Grain, tuple[Way, ...]]


@dataclass(frozen=True, slots=True)
class ProxyPage:
    """Where a mesh's proxies tell their counters: a port and a path of pods that have one of these containers."""

    port: int
    path: str
    containers: tuple[str, ...]
