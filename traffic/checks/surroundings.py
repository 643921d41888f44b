"""What stands around a route, read from native objects into what the facts hold. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.istio_companions import Subsets, with_labels
from meshes.adapters.shapes import DestinationRule, sound
from traffic.checks.facts import Owner
from traffic.checks.owners import DRIVEN, POD_HASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshes.types import Around, Backend, Root, Route
    from meshui.lib.jsontypes import JsonObject

NEWEST = "9999"
WAYPOINT = "istio.io/use-waypoint"


@dataclass(frozen=True, slots=True)
class Claim:
    """A route object that claims a root: `words` for people, `scope` and `port` of its reading, when it was made.

    `made_at` empty: it is not there yet.
    """

    words: str
    kind: str
    scope: str = "producer"
    port: int | None = None
    made_at: str = ""

    def meets(self, other: Claim) -> bool:
        """Whether both decide for some of the same clients."""
        if "gateway" in {self.scope, other.scope}:
            return False
        if None not in {self.port, other.port} and self.port != other.port:
            return False
        mine, theirs = _namespaces(self.scope), _namespaces(other.scope)
        return mine is None or theirs is None or bool(mine & theirs)

    @property
    def precedence(self) -> tuple[bool, str, str]:
        """Who comes first is believed to win (ruling 11): visible to few before all, then by age, then name."""
        return self.scope == "producer", self.made_at or NEWEST, self.words


def winner_of(mine: Claim, rivals: Sequence[Claim]) -> str:
    """Which VirtualService is believed to decide; empty: kinds that are merged, or nobody else claims it."""
    claims = [claim for claim in (mine, *rivals) if claim.kind == "VirtualService"]
    if mine.kind != "VirtualService" or len(claims) < 2:
        return ""
    return min(claims, key=lambda claim: claim.precedence).words


def words_of(body: Mapping[str, Any]) -> str:
    """`VirtualService shop/checkout`."""
    metadata = body.get("metadata") or {}
    return f"{body.get('kind') or 'object'} {metadata.get('namespace', '')}/{metadata.get('name', '')}"


def has_looked(around: Around | None) -> bool:
    """Whether anything around the route was read at all."""
    return around is not None and bool(around.services or around.companions)


def missing_in(backends: Iterable[Backend], services: Mapping[tuple[str, str], JsonObject]) -> frozenset[str]:
    """Backends whose Service is not among `services`; hosts outside the cluster are none."""
    return frozenset(b.key for b in backends if "." not in b.service and (b.namespace, b.service) not in services)


def subsets_in(bodies: Iterable[JsonObject]) -> Subsets:
    """The subsets that these DestinationRules define; other kinds are left out. One still to be made has no uid."""
    rules, _ = sound([_born(body) for body in bodies if body.get("kind") == "DestinationRule"], DestinationRule)
    return Subsets(rules)


def _born(body: JsonObject) -> JsonObject:
    metadata = cast("JsonObject", body.get("metadata") or {})
    return cast("JsonObject", {**body, "metadata": {"uid": "still to be made", **metadata}})


def undefined_in(backends: Iterable[Backend], subsets: Subsets) -> frozenset[str]:
    """Backends whose subset nothing defines."""
    return frozenset(b.key for b in backends if b.subset and subsets.labels(b) is None)


def labelled(route: Route, subsets: Subsets) -> Route:
    """`route` with the labels that its subsets have in the cluster."""
    return with_labels(route, subsets)


def profiles_in(root: Root, bodies: Iterable[JsonObject]) -> tuple[str, ...]:
    """ServiceProfiles of the root, wherever they stand: they switch its routes off (trap 14)."""
    start = f"{root.service}.{root.namespace}.svc."
    profiles = [body for body in bodies if body.get("kind") == "ServiceProfile"]
    return tuple(words_of(body) for body in profiles if _name(body).startswith(start))


def waypoint_in(root: Root, around: Around) -> str | None:
    """The waypoint that the labels of the Service or its namespace name; empty: none; None: it cannot be told."""
    service = around.services.get((root.namespace, root.service))
    spaces = [b for b in around.companions if b.get("kind") == "Namespace" and _name(b) == root.namespace]
    for body in (*([service] if service else []), *spaces):
        name = _labels(body).get(WAYPOINT)
        if name is not None:
            return "" if name == "none" else name
    return "" if service and spaces else None


def drivers_in(backends: Iterable[Backend], services: Mapping[tuple[str, str], JsonObject]) -> Iterator[Owner]:
    """Argo Rollouts, where it drives a backend: it writes the weights of every route to it."""
    told: set[str] = set()
    for backend in backends:
        words = f"backend {backend.name}"
        metadata = cast("dict[str, Any]", services.get((backend.namespace, backend.service), {}).get("metadata") or {})
        marks = {**(metadata.get("annotations") or {}), **dict(backend.labels)}
        mark = next((marks[key] for key in (*DRIVEN, POD_HASH) if key in marks), None)
        if mark is not None and words not in told:
            told.add(words)
            yield Owner(words, "controller", "Argo Rollouts")


def _namespaces(scope: str) -> frozenset[str] | None:
    """The namespaces whose clients a scope means; None: all."""
    if scope == "producer":
        return None
    return frozenset(scope.removeprefix("consumer(").removesuffix(")").split(",")) - {"~", ""}


def _name(body: Mapping[str, Any]) -> str:
    return str((body.get("metadata") or {}).get("name") or "")


def _labels(body: Mapping[str, Any]) -> dict[str, str]:
    return dict((body.get("metadata") or {}).get("labels") or {})
