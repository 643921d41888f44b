"""Linkerd: routes of the Gateway API and its own HTTPRoute, whose parent is a Service, both ways.

Facts: mesh-reference §2. A backend is a Service, one for each version; Linkerd's policy controller says in the status
whether it took a route. Only fields of Gateway API 1.2.1 are written: a route with newer ones is ignored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from clusters.clients import ObjectRef, Resource
from meshes.adapters import (
    gateway_kinds,
    gateway_read,
    gateway_rivals,
    gateway_status,
    gateway_write,
    linkerd_detect,
    linkerd_mtls,
    linkerd_shadows,
    nearby,
)
from meshes.adapters.base import Capabilities, Problem, Read, Ties
from meshes.adapters.edits import refused
from meshes.adapters.gateway_kinds import LINKERD
from meshes.adapters.gateway_shapes import GatewayRoute
from meshes.adapters.linkerd_signals import PROXY_PAGE, SIGNALS
from meshes.adapters.natives import name_of, namespace_of, titled, uid_of
from meshes.adapters.shapes import Anything, sound, told_apart
from meshes.types import Around, LiveRoute, Rendered, Root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import Reader
    from meshes.adapters.base import Detected, Verification
    from meshes.adapters.mtls import FoundMtls, Secured
    from meshes.types import Loss, Projection, ProxyPage, Route, Signal, SignalSpec, Version
    from meshui.lib.jsontypes import JsonObject

    Objects = Mapping[str, Sequence[JsonObject]]

OWN_GROUPS = ("linkerd.io/", "policy.linkerd.io/")
PROFILES = Resource("linkerd.io", "v1alpha2", "serviceprofiles", "ServiceProfile")
POLICY_ROUTES = "httproutes.policy.linkerd.io"
"""Where a mapping by plural holds Linkerd's own HTTPRoutes apart from those of the Gateway API."""
KNOWN = (14, 20)
"""The oldest and newest minor 2.x whose objects were read against this code or their CRDs."""


class LinkerdAdapter:
    """Pure translation: it is given what was read and returns what to write."""

    kind: ClassVar[str] = "linkerd"
    label: ClassVar[str] = "Linkerd"
    platforms: ClassVar[frozenset[str]] = frozenset({"kubernetes"})
    known: ClassVar[tuple[str, str]] = ("2.14", "2.20")
    signs: ClassVar[tuple[bytes, ...]] = (linkerd_detect.COMPONENT.encode(),)
    signals: ClassVar[Mapping[Signal, SignalSpec]] = SIGNALS
    proxy_page: ClassVar[ProxyPage] = PROXY_PAGE

    def capabilities(self, version: Version) -> Capabilities:
        """Weights up to a million, so basis points fit; routes of Services are read since 2.14."""
        minor = linkerd_detect.minor_of(version)
        is_known = minor is not None and KNOWN[0] <= minor <= KNOWN[1]
        nearest = self.known[0] if minor is not None and minor < KNOWN[0] else self.known[1]
        return Capabilities(is_known=is_known, weight_step_bp=1, reports_acceptance=True, nearest=nearest)

    def minor_of(self, version: Version) -> int | None:
        """2.20.1 and edge-26.6.3 → 20."""
        return linkerd_detect.minor_of(version)

    def resources(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """Routes of the Gateway API, Linkerd's own, ServiceProfiles; empty where nothing of Linkerd is served."""
        if not any(version.startswith(OWN_GROUPS) for version in served):
            return ()
        own = gateway_kinds.policy_resource(served)
        profiles = [PROFILES] if PROFILES.api_version in served else []
        return (*gateway_kinds.resources(served), *([own] if own else []), *profiles)

    def detect(self, reader: Reader, deployments: Sequence[JsonObject]) -> Detected:
        """Workloads of a control plane; trust domain, anchors and version stand in ConfigMaps beside them."""
        return linkerd_detect.detect(reader, deployments)

    def read(
        self,
        objects: Mapping[str, Sequence[JsonObject]],
        namespaces: Sequence[JsonObject],
        *,
        only: frozenset[str] | None = None,
    ) -> Read:
        """Every route that Linkerd reads, with what switches it off."""
        plurals = (*gateway_kinds.KINDS.values(), POLICY_ROUTES)
        bodies = {uid_of(body): body for plural in plurals for body in objects.get(plural, ())}
        found = gateway_rivals.sorted_out(bodies.values(), namespaces, LINKERD)
        profiles, told = told_apart(objects.get("serviceprofiles", ()), Anything)
        index = gateway_rivals.by_parent(found.mine)
        routes = []
        for body in found.mine:
            if only is None or uid_of(body) in only:
                merged = gateway_rivals.merged_problems(body, index, _merged)
                routes.append(gateway_rivals.read_one(body, LINKERD, [*merged, *_shadowed(body, profiles)]))
        injections = {name_of(body): linkerd_detect.injection(body) for body in namespaces}
        return Read(tuple(routes), injections, told | found.told)

    def ties(self, body: JsonObject) -> Ties:
        """By the Services of routes, and the ServiceProfiles of these."""
        if not gateway_kinds.is_route(body):
            return Ties(linkerd_shadows.profile_marks(name_of(body)))
        found = gateway_rivals.ties_of(body)
        parents = gateway_kinds.parents_of(body) if found.marks else []
        profiles = {linkerd_shadows.profile_mark(parent.service, parent.namespace) for parent in parents}
        return Ties(found.marks, (*found.leans, *profiles))

    def policy_kinds(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """Servers and what authorizes their clients."""
        return linkerd_mtls.policy_kinds(served)

    def mtls(self, seen: Secured) -> Mapping[str, FoundMtls]:
        """By inbound policies: of ports, of pods, of the namespace, of the control plane."""
        return linkerd_mtls.modes(seen)

    def live(self, body: JsonObject) -> LiveRoute:
        """One route as it is."""
        route, _ = gateway_read.route_of(body, LINKERD)
        return LiveRoute(route, gateway_kinds.ref_of(body), body)

    def seen(self, live: LiveRoute, around: Around) -> LiveRoute:
        """`live`: what stands around a route of Linkerd adds nothing to its reading."""
        return live

    def project(self, ref: ObjectRef, body: JsonObject) -> Projection:
        """Kind and spec, weights by ratio."""
        return gateway_write.project(body)

    def around(self, reader: Reader, route: Route, ref: ObjectRef | None) -> Around:
        """Services, namespaces, ServiceProfiles, and the other routes of the same Service. Raises ClusterError."""
        served = reader.api_groups()
        root = route.root
        places = [root.namespace, ref.namespace if ref else root.namespace]
        routes: list[JsonObject] = []
        profiles: list[JsonObject] = []
        for kind in self.resources(served):
            if kind == PROFILES:
                profiles = nearby.within(reader, kind, places)
            else:
                routes += sound(nearby.everywhere(reader, kind, places), GatewayRoute)[0]
        rivals = gateway_rivals.by_parent(routes).get((root.namespace, root.service), [])
        rivals = [body for body in rivals if ref is None or gateway_kinds.ref_of(body) != ref]
        companions = (*profiles, *nearby.namespaces_of(reader, places))
        return Around(nearby.services_of(reader, route), companions, tuple(rivals), served)

    def new_ref(self, desired: Route, served: frozenset[str]) -> ObjectRef | None:
        """`<service>-split` beside the Service: of the Gateway API, else Linkerd's own; None: neither is served."""
        wanted = "GRPCRoute" if desired.protocol == "grpc" else gateway_kinds.HTTP
        kinds = [kind for kind in gateway_kinds.resources(served) if kind.kind == wanted]
        own = gateway_kinds.policy_resource(served) if wanted == gateway_kinds.HTTP else None
        kind = next(iter([*kinds, *([own] if own else [])]), None)
        return ObjectRef(kind, desired.root.namespace, f"{desired.root.service}-split") if kind else None

    def render(self, desired: Route | None, live: LiveRoute | None, around: Around) -> Rendered:
        """What makes `live` as `desired`; refused where something switches the route off."""
        if desired is None:
            return gateway_write.end(live) if live else Rendered(())
        shadows = list(linkerd_shadows.losses(desired, live, around))
        if live is None:
            return self._start(desired, around, shadows)
        if any(loss.moves_requests for loss in shadows):
            return Rendered((), tuple(shadows))
        rendered = gateway_write.change(desired, live, around)
        return replace(rendered, losses=(*rendered.losses, *shadows))

    def _start(self, desired: Route, around: Around, shadows: list[Loss]) -> Rendered:
        ref = self.new_ref(desired, around.served or frozenset({f"{gateway_kinds.GROUP}/v1"}))
        if ref is None:
            text = "This cluster serves no HTTPRoutes. Install the CRDs of the Gateway API that Linkerd names."
            return Rendered((), (refused("route", text),))
        return gateway_write.start(desired, ref, around, shadows)

    def verify(self, desired: Route | None, live: LiveRoute | None) -> Verification:
        """L2 where the policy controller accepted it."""
        return gateway_status.verify(desired, live, LINKERD)


def _shadowed(body: JsonObject, profiles: Sequence[JsonObject]) -> Iterator[Problem]:
    for parent in gateway_kinds.parents_of(body):
        root = Root(parent.service, parent.namespace)
        for profile in linkerd_shadows.profiles_of(root, profiles, namespace_of(body)):
            yield Problem("spec.parentRefs", linkerd_shadows.profile_words(profile))
    if fields := linkerd_shadows.newer_fields(body):
        yield Problem("spec.rules", linkerd_shadows.newer_words(fields))


def _merged(body: JsonObject, other: JsonObject) -> str:
    if body.get("kind") == "HTTPRoute" and other.get("kind") == "GRPCRoute":
        return linkerd_shadows.grpc_words(other)
    if body.get("kind") == "GRPCRoute" and other.get("kind") == "HTTPRoute":
        return f"{titled(other)} is for the same Service and does nothing beside a GRPCRoute."
    return gateway_rivals.merged_words(body, other)
