"""Routes of the Gateway API whose parent is a Service: their kinds, parents, and the meshes that read them. Pure.

Facts: mesh-reference §10. The core group is written "" and read alike where it is "", absent or "core" (ruling 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import ObjectRef, Resource
from meshes.adapters.natives import annotations_of, labels_of, name_of, namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshui.lib.jsontypes import JsonObject

GROUP = "gateway.networking.k8s.io"
POLICY_GROUP = "policy.linkerd.io"
KINDS = {"HTTPRoute": "httproutes", "GRPCRoute": "grpcroutes"}
HTTP = "HTTPRoute"
VERSIONS = ("v1", "v1beta1")
"""Newest first; GRPCRoute is served under v1 alone since it can be relied upon."""
POLICY_VERSIONS = ("v1beta3", "v1beta2", "v1beta1")


@dataclass(frozen=True, slots=True)
class Flavour:
    """How one mesh reads these routes.

    `controller`: who writes its status. `single_counts`: whether a single backend with weight 0 gets nothing. `zero`:
    what happens where all weights are 0. `bare`: where requests go that no backend is named for. `says_generation`:
    whether its conditions always say which generation they are of. `takes_core`: whether it reads group "core".
    """

    mesh: str
    controller: str
    single_counts: bool
    zero: str
    bare: str
    says_generation: bool
    takes_core: bool


ISTIO = Flavour(
    mesh="istio",
    controller="istio.io/gateway-controller",
    single_counts=True,
    zero="All weights are 0: its requests are answered with 500.",
    bare="It names no backend: its requests are answered with 500.",
    says_generation=True,
    takes_core=False,
)
LINKERD = Flavour(
    mesh="linkerd",
    controller="linkerd.io/policy-controller",
    single_counts=False,
    zero="All weights are 0: Linkerd then takes no route of the Service, and its requests fail.",
    bare="It names no backend: its requests go to the Service itself.",
    says_generation=False,
    takes_core=True,
)
CONTROLLERS = {flavour.controller: flavour.mesh for flavour in (ISTIO, LINKERD)}


@dataclass(frozen=True, slots=True)
class Parent:
    """A Service that a route decides for. `port` None: all its ports. `group`: as it is written."""

    service: str
    namespace: str
    port: int | None
    group: str | None
    section: str

    def meets(self, other: Parent) -> bool:
        """Whether both decide for some port of one Service."""
        is_same = (self.service, self.namespace) == (other.service, other.namespace)
        return is_same and (None in {self.port, other.port} or self.port == other.port)


def resources(served: frozenset[str]) -> tuple[Resource, ...]:
    """HTTPRoute and GRPCRoute in the newest version that the cluster serves."""
    version = next((v for v in VERSIONS if f"{GROUP}/{v}" in served), None)
    if version is None:
        return ()
    kinds = KINDS.items() if version == "v1" else [(HTTP, KINDS[HTTP])]
    return tuple(Resource(GROUP, version, plural, kind) for kind, plural in kinds)


def policy_resource(served: frozenset[str]) -> Resource | None:
    """Linkerd's own HTTPRoute, in the newest version that the cluster serves."""
    version = next((v for v in POLICY_VERSIONS if f"{POLICY_GROUP}/{v}" in served), None)
    return Resource(POLICY_GROUP, version, KINDS[HTTP], HTTP) if version else None


def group_of(body: Mapping[str, Any]) -> str:
    """`gateway.networking.k8s.io`."""
    return str(body.get("apiVersion") or "").rpartition("/")[0]


def is_route(body: Mapping[str, Any]) -> bool:
    """Whether it is an HTTPRoute or a GRPCRoute of either group."""
    return body.get("kind") in KINDS and group_of(body) in {GROUP, POLICY_GROUP}


def ref_of(body: JsonObject) -> ObjectRef:
    """In the version it was read in: a patch goes where the read came from."""
    group, _, version = str(body.get("apiVersion") or "").rpartition("/")
    kind = str(body.get("kind") or HTTP)
    return ObjectRef(Resource(group, version, KINDS.get(kind, KINDS[HTTP]), kind), namespace_of(body), name_of(body))


def parents_of(body: JsonObject) -> list[Parent]:
    """The Services among its parents."""
    spec = cast("dict[str, Any]", body.get("spec") or {})
    found = [ref for ref in spec.get("parentRefs") or [] if is_service(ref)]
    return [parent_of(ref, namespace_of(body)) for ref in found]


def is_service(ref: Mapping[str, Any]) -> bool:
    """Whether a parentRef means a Service of the core group."""
    return ref.get("kind") == "Service" and ref.get("group") in {None, "", "core"}


def parent_of(ref: Mapping[str, Any], namespace: str) -> Parent:
    """A parentRef that means a Service."""
    where = str(ref.get("namespace") or namespace)
    return Parent(
        str(ref.get("name") or ""), where, ref.get("port"), ref.get("group"), str(ref.get("sectionName") or "")
    )


def mistaken_parents(body: JsonObject) -> list[str]:
    """Names of Services that it means as parents, under a group without any: the default one is not the core."""
    spec = cast("dict[str, Any]", body.get("spec") or {})
    refs = [ref for ref in spec.get("parentRefs") or [] if isinstance(ref, dict)]
    return [str(ref.get("name") or "") for ref in refs if ref.get("kind") == "Service" and not is_service(ref)]


def meshes_of(namespace: JsonObject) -> set[str]:
    """Which meshes take the pods of a namespace in, as its labels and annotations say."""
    labels, annotations = labels_of(namespace), annotations_of(namespace)
    found = set()
    switch = labels.get("istio-injection")
    by_revision = labels.get("istio.io/rev") and switch != "disabled"
    if switch == "enabled" or by_revision or labels.get("istio.io/dataplane-mode") == "ambient":
        found.add("istio")
    if annotations.get("linkerd.io/inject") in {"enabled", "ingress"}:
        found.add("linkerd")
    return found


def owner_of(body: JsonObject, namespaces: Mapping[str, JsonObject]) -> str:
    """The mesh that reads a route: by its controller's word, else by what injects there; empty: none."""
    if group_of(body) == POLICY_GROUP:
        return LINKERD.mesh
    spoken = {mesh for mesh in _spoken(body) if mesh}
    if len(spoken) == 1:
        return spoken.pop()
    for name in places_of(body):
        found = meshes_of(namespaces[name]) if name in namespaces else set()
        found &= spoken or found
        if len(found) == 1:
            return found.pop()
    return ""


def _spoken(body: JsonObject) -> Iterator[str]:
    status = cast("dict[str, Any]", body.get("status") or {})
    for entry in status.get("parents") or []:
        if is_service(entry.get("parentRef") or {}):
            yield CONTROLLERS.get(str(entry.get("controllerName") or ""), "")


def places_of(body: JsonObject) -> Iterable[str]:
    """The namespaces whose mesh reads it, where its status does not tell: its parents' first, then its own."""
    return dict.fromkeys([*(parent.namespace for parent in parents_of(body)), namespace_of(body)])
