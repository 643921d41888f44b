"""The contract of a mesh adapter: pure translation, one file a mesh. No Django, no network of its own, no settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

import msgspec

from meshui.lib.errors import InvalidError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from clusters.clients import ObjectRef, Reader, Resource
    from meshes.adapters.mtls import FoundMtls, Secured
    from meshes.types import Around, LiveRoute, Projection, ProxyPage, Rendered, Route, Signal, SignalSpec, Version
    from meshui.lib.jsontypes import JsonObject


MANAGED_BY: Final = ("app.kubernetes.io/managed-by", "meshui")
"""The label of every object that MeshUI made: what lacks it is never deleted."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one version of a mesh can hold. `is_known` False: `nearest`, the nearest known version, answers for it.

    `weight_step_bp`: the finest step of a weight. `reports_acceptance`: the mesh itself says whether it took a route.
    What of routes it can hold is found out by asking it to write them (meshes.abilities).
    """

    is_known: bool
    weight_step_bp: int
    reports_acceptance: bool
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class FoundControlPlane:
    """One control plane: a revision of a product in a namespace. `is_ready`: it has an available replica.

    What it is configured to do where no policy says otherwise, empty where that could not be read or it has no such
    thing: `policy_namespace`, where policies for the whole mesh stand, and `inbound`, what its proxies let in.
    """

    namespace: str
    name: str
    revision: str
    version: Version
    is_ready: bool
    policy_namespace: str = ""
    inbound: str = ""


@dataclass(frozen=True, slots=True)
class FoundMesh:
    """One installation as one cluster shows it. `trust_domain` empty: it could not be read.

    `trust_root`: SHA-256 of its root certificates, hex: clusters with the same one trust each other. Empty: not read.
    `root_ends_at`: when the first of them ends; None: not known.
    """

    kind: str
    trust_domain: str
    control_planes: tuple[FoundControlPlane, ...]
    trust_root: str = ""
    root_ends_at: dt.datetime | None = None


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
    ref: ObjectRef
    live: LiveRoute | None
    projection_hash: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Injection:
    """Whether new pods of a namespace get a proxy, and which label decides.

    `state`: injected, ambient, none. `revision`: of the control plane that would do it, a tag resolved where it can be.
    """

    state: str
    reason: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What one cluster's objects say about routing. `told`: by uid, problems of objects that are no routes.

    `tags`: other names that revisions of the control plane go by, each with its revision.
    """

    routes: tuple[ReadRoute, ...] = ()
    injections: Mapping[str, Injection] = field(default_factory=dict)
    told: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of `told`, of all objects."""
        return tuple(problem for each in self.told.values() for problem in each)


class Ties(msgspec.Struct, gc=False, frozen=True):
    """How one object bears on the reading of others, by marks (see `mark`).

    `marks`: what it is known by. `leans`: the marks of what its own reading depends on, there or not. Where it is read
    together with what another one leans on, both count: a reading depends on what is at most two steps away.
    `is_wide`: every reading may depend on it.
    """

    marks: tuple[int, ...] = ()
    leans: tuple[int, ...] = ()
    is_wide: bool = False


def mark(what: str, *names: str) -> int:
    """One thing that objects are known by, in this process; where two are equal by chance, more is read than needed."""
    return hash((what, *names))


def namespace_mark(name: str) -> int:
    """That of a namespace."""
    return mark("namespace", name)


@dataclass(frozen=True, slots=True)
class Verification:
    """How far a route is known to have come.

    `level`: L1 stored, L2 accepted by the controller. `answer` for the level after L1: verified, mismatch, waiting (the
    controller has not spoken of this generation yet), cannot be observed.
    """

    level: str
    answer: str
    detail: str = ""


class MeshAdapter(Protocol):
    """What MeshUI asks of a mesh."""

    kind: ClassVar[str]
    label: ClassVar[str]
    platforms: ClassVar[frozenset[str]]
    known: ClassVar[tuple[str, str]]
    """The oldest and the newest version whose objects were read against the adapter, as people write them."""
    signs: ClassVar[tuple[bytes, ...]]
    """Of which one stands in the JSON of every workload of a control plane."""
    signals: ClassVar[Mapping[Signal, SignalSpec]]
    """How its proxies count requests: data, evaluated by metrics."""
    proxy_page: ClassVar[ProxyPage]
    """Where its proxies tell what they counted."""

    def capabilities(self, version: Version) -> Capabilities:
        """What `version` can hold."""

    def minor_of(self, version: Version) -> int | None:
        """The minor release of `version`, by which it is counted how far apart two may be; None: not known."""

    def resources(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """The kinds to list, routes first, in the versions that the cluster serves; empty: this mesh is not there."""

    def detect(self, reader: Reader, deployments: Sequence[JsonObject]) -> Detected:
        """Installations among `deployments` (all namespaces); may read a named ConfigMap."""

    def read(
        self,
        objects: Mapping[str, Sequence[JsonObject]],
        namespaces: Sequence[JsonObject],
        *,
        only: frozenset[str] | None = None,
    ) -> Read:
        """Translate the listed objects (by plural) with their companions; a plural that is absent is not known.

        `only`: uids of the route objects to translate (all else is still looked at, for companions and rivals). Given
        no more than what `ties` says to be within two steps of these, it says the same of them as given everything.
        """

    def policy_kinds(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """The kinds that say whose connections pods take; listed beside the routes. Empty: none are served."""

    def mtls(self, seen: Secured) -> Mapping[str, FoundMtls]:
        """Whether the pods of each of `seen.spaces` take plaintext, and which object says so. Never a guess."""

    def ties(self, body: JsonObject) -> Ties:
        """How one listed object, sound or not, is tied to others: what moved is read anew, with what it bears on."""

    def live(self, body: JsonObject) -> LiveRoute:
        """One native route object as it is. Raises UnreadableRouteError if its routing cannot be said in the model."""

    def seen(self, live: LiveRoute, around: Around) -> LiveRoute:
        """`live` as `read` says it: with what companions add, such as labels of subsets and rules of delegates."""

    def project(self, ref: ObjectRef, body: JsonObject) -> Projection:
        """The part of any object that `render` may write which decides routing; its hash is the base of a plan.

        Raises UnreadableRouteError where it cannot be compared exactly.
        """

    def around(self, reader: Reader, route: Route, ref: ObjectRef | None) -> Around:
        """Read what `render` and the checks need beside the route object `ref` (None: it is not there yet).

        Raises ClusterError.
        """

    def new_ref(self, desired: Route, served: frozenset[str]) -> ObjectRef | None:
        """The object that would hold `desired` where no route is; None: this mesh cannot start one there."""

    def render(self, desired: Route | None, live: LiveRoute | None, around: Around) -> Rendered:
        """What makes `live` as `desired`: weights, backends, rules; and what cannot be held.

        `live` None: the split starts (creates, companions first). `desired` None: it ends (deletes, companions last).
        What cannot be done is a Loss that moves requests, never silence.
        """

    def verify(self, desired: Route | None, live: LiveRoute | None) -> Verification:
        """How far `desired` is known to hold, from a fresh read: L1 stored, L2 accepted by the controller."""


class UnreadableRouteError(InvalidError):
    """A native object whose routing the neutral model cannot say; `problems` says what and where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.where}: {p.message}" for p in problems))
        self.problems = tuple(problems)
