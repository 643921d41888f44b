"""Istio: VirtualServices and DestinationRules as neutral routes, and weights back into them.

Facts: mesh-reference §1. Lists are atomic and there is no Accepted condition: a weight is moved by a narrow JSON Patch,
and acceptance cannot be observed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from clusters.clients import ClusterError, ObjectRef, Resource
from meshes.adapters import istio_companions, istio_read, istio_write
from meshes.adapters.base import (
    Capabilities,
    Detected,
    FoundMesh,
    Injection,
    Problem,
    Read,
    ReadRoute,
    UnreadableRouteError,
    Verification,
)
from meshes.adapters.shapes import Deployment, DestinationRule, sound
from meshes.types import LiveRoute
from meshui.lib.plain_yaml import PlainYamlError, parse_plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import Reader
    from meshes.adapters.base import FoundControlPlane
    from meshes.types import Projection, Rendered, Route, Version
    from meshui.lib.jsontypes import JsonObject

GROUP = "networking.istio.io"
VERSIONS = ("v1", "v1beta1", "v1alpha3")
"""Newest first; the same fields under each (1.22 began to serve v1)."""
KNOWN = ((1, 18), (1, 31))
"""The oldest and newest minor whose objects were read against this code or their CRDs."""
KINDS = (("virtualservices", "VirtualService"), ("destinationrules", "DestinationRule"))
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
DEFAULT_TRUST_DOMAIN = "cluster.local"


class IstioAdapter:
    """Pure translation: it is given what was read and returns what to write."""

    kind: ClassVar[str] = "istio"
    label: ClassVar[str] = "Istio"
    platforms: ClassVar[frozenset[str]] = frozenset({"kubernetes"})

    def capabilities(self, version: Version) -> Capabilities:
        """Any whole number is a weight, so basis points fit; no version reports whether it took a VirtualService."""
        is_known = KNOWN[0] <= (version.major, version.minor) <= KNOWN[1]
        return Capabilities(is_known=is_known, weight_step_bp=1, reports_acceptance=False)

    def resources(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """VirtualServices and DestinationRules in the newest version that the cluster serves."""
        version = next((v for v in VERSIONS if f"{GROUP}/{v}" in served), None)
        return tuple(Resource(GROUP, version, plural, kind) for plural, kind in KINDS) if version else ()

    def detect(self, reader: Reader, deployments: Sequence[JsonObject]) -> Detected:
        """Control planes are Deployments labelled app=istiod; the trust domain stands in ConfigMap istio[-revision]."""
        good, problems = sound(deployments, Deployment)
        planes = [istio_companions.control_plane(body) for body in good if istio_companions.is_istiod(body)]
        domains: dict[str, list[FoundControlPlane]] = {}
        for plane in planes:
            domain, problem = self._trust_domain(reader, plane)
            domains.setdefault(domain, []).append(plane)
            problems += [problem] if problem else []
        meshes = tuple(FoundMesh(self.kind, domain, tuple(found)) for domain, found in domains.items())
        return Detected(meshes, tuple(problems))

    def _trust_domain(self, reader: Reader, plane: FoundControlPlane) -> tuple[str, Problem | None]:
        """The trust domain of a control plane; empty, with a problem, where it cannot be read: never guessed."""
        name = "istio" if plane.revision == "default" else f"istio-{plane.revision}"
        ref = ObjectRef(CONFIG_MAPS, plane.namespace, name)
        try:
            body = reader.get_object(ref)
            data = (body or {}).get("data")
            text = data.get("mesh") if isinstance(data, dict) else None
            if not isinstance(text, str):
                return "", Problem(str(ref), "It holds no mesh configuration: the trust domain is not known.")
            return str(parse_plain(text).get("trustDomain") or DEFAULT_TRUST_DOMAIN)[:253], None
        except (ClusterError, PlainYamlError) as error:
            return "", Problem(str(ref), f"{error} The trust domain is not known.")

    def read(self, objects: Mapping[str, Sequence[JsonObject]], namespaces: Sequence[JsonObject]) -> Read:
        """Every VirtualService, with the labels of its subsets and with its rivals for a host."""
        rules, problems = sound(objects.get("destinationrules", ()), DestinationRule)
        subsets = istio_companions.Subsets(rules) if "destinationrules" in objects else None
        routes = [self._read_one(body, subsets) for body in objects.get("virtualservices", ())]
        rivals = istio_companions.rival_hosts([found.live for found in routes if found.live is not None])
        told = tuple(replace(r, problems=(*r.problems, *rivals.get(r.live.uid, ()))) if r.live else r for r in routes)
        injections = {istio_read.name_of(body): Injection(*istio_companions.injection(body)) for body in namespaces}
        return Read(told, injections, tuple(problems))

    def _read_one(self, body: JsonObject, subsets: istio_companions.Subsets | None) -> ReadRoute:
        try:
            route, problems = istio_read.route_of(body)
            base = istio_write.project(LiveRoute(route, self._ref(body), body)).hash
        except UnreadableRouteError as error:
            return ReadRoute(body, None, problems=error.problems)
        if subsets is None:
            return ReadRoute(body, LiveRoute(route, self._ref(body), body), base, problems)
        route = istio_companions.with_labels(route, subsets)
        missing = istio_companions.missing_subsets(route, subsets)
        return ReadRoute(body, LiveRoute(route, self._ref(body), body), base, (*problems, *missing))

    def live(self, body: JsonObject) -> LiveRoute:
        """One VirtualService as it is; labels of subsets are not looked up."""
        route, _ = istio_read.route_of(body)
        return LiveRoute(route, self._ref(body), body)

    def _ref(self, body: JsonObject) -> ObjectRef:
        """In the version it was read in: a patch goes where the read came from."""
        version = str(body.get("apiVersion") or "").rpartition("/")[2]
        resource = Resource(GROUP, version if version in VERSIONS else VERSIONS[0], *KINDS[0])
        return ObjectRef(resource, istio_read.namespace_of(body), istio_read.name_of(body))

    def project(self, live: LiveRoute) -> Projection:
        """All of spec, weights by ratio: every field of a VirtualService's spec decides routing."""
        return istio_write.project(live)

    def render(self, desired: Route, live: LiveRoute) -> Rendered:
        """Moved weights on existing backends; anything else is a loss that moves requests, so refused."""
        return istio_write.render(desired, live)

    def verify(self, desired: Route, live: LiveRoute) -> Verification:
        """L1 from the read: Istio reports no acceptance of VirtualServices unless its analysis is on."""
        if istio_write.same_weights(desired, live.route):
            return Verification("L1", "verified", "Stored and read back; Istio does not report acceptance.")
        moved = ", ".join(self._differing(desired, live.route))
        return Verification("L1", "mismatch", f"What is stored has other weights in {moved}.")

    def _differing(self, desired: Route, live: Route) -> Iterator[str]:
        if len(desired.rules) != len(live.rules):
            yield "its rules"
            return
        for wanted, found in zip(desired.rules, live.rules, strict=True):
            if not istio_write.same_weights(replace(desired, rules=(wanted,)), replace(live, rules=(found,))):
                yield f"rule {found.name}"
