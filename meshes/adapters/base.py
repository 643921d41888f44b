"""The contract of a mesh adapter: pure translation, one file a mesh. No Django, no network of its own, no settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from meshui.lib.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.clients import Reader, Resource
    from meshes.types import LiveRoute, Projection, Rendered, Route, Version
    from meshui.lib.jsontypes import JsonObject


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one version of a mesh can hold. `is_known` False: the nearest known version answers for it.

    `weight_step_bp`: the finest step of a weight. `reports_acceptance`: the mesh itself says whether it took a route.
    """

    is_known: bool
    weight_step_bp: int
    reports_acceptance: bool


@dataclass(frozen=True, slots=True)
class FoundControlPlane:
    """One control plane: a revision of a product in a namespace. `is_ready`: it has an available replica."""

    namespace: str
    name: str
    revision: str
    version: Version
    is_ready: bool


@dataclass(frozen=True, slots=True)
class FoundMesh:
    """One installation as one cluster shows it. `trust_domain` empty: it could not be read."""

    kind: str
    trust_domain: str
    control_planes: tuple[FoundControlPlane, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read or held: where, and why, in words."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Detected:
    """The meshes found and what went wrong on the way: never the one without the other."""

    meshes: tuple[FoundMesh, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadRoute:
    """A native object read: its route and the hash of its projection, or None and "" with the reasons.

    `problems` also name what the model has no words for, and what of the route does nothing.
    """

    body: JsonObject
    live: LiveRoute | None
    projection_hash: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Injection:
    """Whether new pods of a namespace get a proxy, and which label decides."""

    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """What one cluster's objects say about routing. `problems`: of objects that are no routes."""

    routes: tuple[ReadRoute, ...] = ()
    injections: Mapping[str, Injection] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """How far a route is known to have come: level L1 stored; answer verified, mismatch, cannot be observed."""

    level: str
    answer: str
    detail: str = ""


class MeshAdapter(Protocol):
    """What MeshUI asks of a mesh."""

    kind: ClassVar[str]
    label: ClassVar[str]
    platforms: ClassVar[frozenset[str]]

    def capabilities(self, version: Version) -> Capabilities:
        """What `version` can hold."""

    def resources(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """The kinds to list, routes first, in the versions that the cluster serves; empty: this mesh is not there."""

    def detect(self, reader: Reader, deployments: Sequence[JsonObject]) -> Detected:
        """Installations among `deployments` (all namespaces); may read a named ConfigMap."""

    def read(self, objects: Mapping[str, Sequence[JsonObject]], namespaces: Sequence[JsonObject]) -> Read:
        """Translate the listed objects (by plural) with their companions; a plural that is absent is not known."""

    def live(self, body: JsonObject) -> LiveRoute:
        """One native object as it is. Raises UnreadableRouteError if its routing cannot be said in the model."""

    def project(self, live: LiveRoute) -> Projection:
        """The part that decides routing; its hash is the base of a plan."""

    def render(self, desired: Route, live: LiveRoute) -> Rendered:
        """The patch that makes `live` as `desired`, and what cannot be held."""

    def verify(self, desired: Route, live: LiveRoute) -> Verification:
        """How far `desired` is known to hold, from a fresh read."""


class UnreadableRouteError(InvalidError):
    """A native object whose routing the neutral model cannot say; `problems` says what and where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.where}: {p.message}" for p in problems))
        self.problems = tuple(problems)
