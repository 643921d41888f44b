"""Istio: VirtualServices and DestinationRules as neutral routes, and weights back into them.

Facts: mesh-reference §1. Lists are atomic and there is no Accepted condition: a weight is moved by a narrow JSON Patch,
and acceptance is "cannot be observed".
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from clusters.clients import ClusterError, ObjectRef, Resource
from meshes.adapters import istio_read, istio_write
from meshes.adapters.base import (
    Detected,
    FoundControlPlane,
    FoundMesh,
    Injection,
    Problem,
    Read,
    ReadRoute,
    UnreadableRouteError,
    Verification,
)
from meshes.types import LiveRoute
from meshui.lib.plain_yaml import PlainYamlError, parse_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.clients import Reader
    from meshes.types import Projection, Rendered, Route
    from meshui.lib.jsontypes import JsonObject

GROUP = "networking.istio.io"
VIRTUAL_SERVICES = Resource(GROUP, "v1", "virtualservices", "VirtualService")
DESTINATION_RULES = Resource(GROUP, "v1", "destinationrules", "DestinationRule")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
DEFAULT_TRUST_DOMAIN = "cluster.local"


class IstioAdapter:
    """Pure translation: it is given what was read and returns what to write."""

    kind: ClassVar[str] = "istio"
    label: ClassVar[str] = "Istio"
    platforms: ClassVar[frozenset[str]] = frozenset({"kubernetes"})
    signals: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def resources(self) -> tuple[Resource, ...]:
        """VirtualServices and DestinationRules, v1."""
        return (VIRTUAL_SERVICES, DESTINATION_RULES)

    def detect(self, reader: Reader, deployments: Sequence[JsonObject]) -> Detected:
        """Control planes are Deployments labelled app=istiod; the trust domain stands in ConfigMap istio[-revision]."""
        planes = [istio_read.control_plane(body) for body in deployments if istio_read.is_istiod(body)]
        if not planes:
            return Detected()
        domains, problems = self._trust_domains(reader, planes)
        meshes = tuple(
            FoundMesh("istio", domain, tuple(p for p, found in zip(planes, domains, strict=True) if found == domain))
            for domain in dict.fromkeys(domains)
        )
        return Detected(meshes, tuple(problems))

    def _trust_domains(
        self, reader: Reader, planes: Sequence[FoundControlPlane]
    ) -> tuple[list[str], list[Problem]]:
        domains: list[str] = []
        problems: list[Problem] = []
        for plane in planes:
            name = "istio" if plane.revision in {"", "default"} else f"istio-{plane.revision}"
            ref = ObjectRef(CONFIG_MAPS, plane.namespace, name)
            domain = DEFAULT_TRUST_DOMAIN
            try:
                body = reader.get_object(ref)
                text = ((body or {}).get("data") or {}).get("mesh", "")  # type: ignore[union-attr]  # JSON
                domain = str(parse_plain(str(text)).get("trustDomain") or domain) if text else domain
                if body is None:
                    problems.append(Problem(str(ref), f"is missing: the trust domain is taken to be {domain}"))
            except (ClusterError, PlainYamlError) as error:
                problems.append(Problem(str(ref), f"{error} The trust domain is taken to be {domain}."))
            domains.append(domain)
        return domains, problems

    def read(self, objects: Mapping[str, Sequence[JsonObject]], namespaces: Sequence[JsonObject]) -> Read:
        """Every VirtualService with the labels of its subsets; two of one host are told of (only one is effective)."""
        subsets = istio_read.subset_labels(objects.get("destinationrules", ()))
        routes = tuple(self._read_one(body, subsets) for body in objects.get("virtualservices", ()))
        problems = tuple(istio_read.duplicate_hosts([r.live for r in routes if r.live is not None]))
        injections = {istio_read.name_of(body): Injection(*istio_read.injection(body)) for body in namespaces}
        return Read(routes, injections, problems)

    def _read_one(self, body: JsonObject, subsets: Mapping[tuple[str, str, str], dict[str, str]]) -> ReadRoute:
        try:
            route, problems = istio_read.route_of(body)
        except UnreadableRouteError as error:
            return ReadRoute(body, None, error.problems)
        route = istio_read.with_labels(route, subsets)
        missing = istio_read.missing_subsets(route, subsets)
        return ReadRoute(body, LiveRoute(route, self._ref(body), body), (*problems, *missing))

    def live(self, body: JsonObject) -> LiveRoute:
        """One VirtualService as it is; labels of subsets are not looked up."""
        route, _ = istio_read.route_of(body)
        return LiveRoute(route, self._ref(body), body)

    def _ref(self, body: JsonObject) -> ObjectRef:
        return ObjectRef(VIRTUAL_SERVICES, istio_read.namespace_of(body), istio_read.name_of(body))

    def project(self, live: LiveRoute) -> Projection:
        """All of spec, weights by ratio: every field of a VirtualService's spec decides routing."""
        return istio_write.project(live)

    def render(self, desired: Route, live: LiveRoute) -> Rendered:
        """Moved weights on existing backends; anything else is a loss that moves requests, so refused."""
        return istio_write.render(desired, live)

    def verify(self, desired: Route, live: LiveRoute) -> Verification:
        """L1 from the read; Istio reports no acceptance for VirtualServices unless its analysis is on."""
        if istio_write.same_weights(desired, live.route):
            return Verification("L1", "verified", "Istio reports no acceptance: read back only.")
        return Verification("L1", "mismatch", "What is stored has other weights.")

