"""All that one cluster holds of Istio's routing, read together: routes, subsets, delegates, rivals, injection. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.adapters import gateway_kinds, gateway_rivals, istio_companions, istio_delegates, istio_detect, istio_read
from meshes.adapters.base import Problem, Read, ReadRoute, UnreadableRouteError
from meshes.adapters.istio_kinds import ref_of
from meshes.adapters.istio_write import project
from meshes.adapters.natives import name_of, namespace_of, titled, uid_of
from meshes.adapters.shapes import DestinationRule, told_apart
from meshes.types import LiveRoute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshes.types import Route
    from meshui.lib.jsontypes import JsonObject

    Objects = Mapping[str, Sequence[JsonObject]]

ROUTES = tuple(gateway_kinds.KINDS.values())
AMBIENT = "Its namespace is ambient and has no waypoint: unless the Service names one, nothing reads these rules."


def read(objects: Objects, namespaces: Sequence[JsonObject], only: frozenset[str] | None) -> Read:
    """Everything, or the routes with these uids among all else."""
    rules, told = told_apart(objects.get("destinationrules", ()), DestinationRule)
    subsets = istio_companions.Subsets(rules) if "destinationrules" in objects else None
    bodies = [body for plural in ROUTES for body in objects.get(plural, ()) if _is_gateway(body)]
    mine = gateway_rivals.sorted_out(bodies, namespaces, gateway_kinds.ISTIO)
    own = _Services(objects.get("virtualservices", ()), subsets, mine.mine)
    waterless = {name_of(body) for body in namespaces if _is_dry(body)}
    routes = [
        *(_told_of_mode(own.read_one(body), waterless) for body in own.bodies if only is None or uid_of(body) in only),
        *(_told_of_mode(found, waterless) for found in _gateway_routes(mine.mine, own.services, only)),
    ]
    tags = istio_detect.tags_of(objects.get(istio_detect.WEBHOOKS.plural, ()))
    injections = {name_of(body): istio_detect.injection(body, tags) for body in namespaces}
    return Read(tuple(routes), injections, told | mine.told, tags)


def _is_gateway(body: JsonObject) -> bool:
    return gateway_kinds.group_of(body) == gateway_kinds.GROUP


def _is_dry(namespace: JsonObject) -> bool:
    found = istio_detect.injection(namespace, {})
    return found.state == "ambient" and not istio_detect.has_waypoint(namespace)


def _told_of_mode(found: ReadRoute, waterless: set[str]) -> ReadRoute:
    if found.live is None or found.live.route.root.namespace not in waterless:
        return found
    return replace(found, problems=(*found.problems, Problem("metadata.namespace", AMBIENT)))


def _gateway_routes(
    bodies: Sequence[JsonObject], services: Mapping[tuple[str, str], list[JsonObject]], only: frozenset[str] | None
) -> Iterator[ReadRoute]:
    index = gateway_rivals.by_parent(bodies)
    for body in bodies:
        if only is None or uid_of(body) in only:
            problems = [*gateway_rivals.merged_problems(body, index, gateway_rivals.merged_words)]
            keys = dict.fromkeys((parent.namespace, parent.service) for parent in gateway_kinds.parents_of(body))
            for other in [other for key in keys for other in services.get(key, ())]:
                text = f"{titled(other)} decides for the same Service: which of the two Istio takes is not known."
                problems.append(Problem("spec.parentRefs", text))
            yield gateway_rivals.read_one(body, gateway_kinds.ISTIO, problems)


class _Services:
    """The VirtualServices of a cluster, each read with all the others in sight."""

    def __init__(
        self, bodies: Sequence[JsonObject], subsets: istio_companions.Subsets | None, routes: Sequence[JsonObject]
    ) -> None:
        self.bodies = bodies
        self._subsets = subsets
        self._by_name = istio_delegates.by_name(bodies)
        outlines = [(body, outline) for body in bodies if (outline := istio_read.outline_of(body)) is not None]
        lives = [LiveRoute(outline, ref_of(body), body) for body, outline in outlines]
        self._rivals = istio_companions.rival_hosts(lives)
        self._routes = gateway_rivals.by_parent(routes)
        self.services: dict[tuple[str, str], list[JsonObject]] = {}
        self._delegating: dict[tuple[str, str], list[str]] = {}
        for body, outline in outlines:
            if outline.scope not in {"gateway", istio_read.DELEGATE}:
                self.services.setdefault((outline.root.namespace, outline.root.service), []).append(body)
            for target in istio_delegates.targets_of(body).values():
                self._delegating.setdefault(target, []).append(titled(body))

    def read_one(self, body: JsonObject) -> ReadRoute:
        """With labels of subsets, rules of delegates, and what the others mean for it."""
        try:
            route, problems = istio_read.route_of(body)
            base = project(body).hash
        except UnreadableRouteError as error:
            return ReadRoute(body, ref_of(body), None, problems=error.problems)
        route, unfollowed = istio_delegates.followed(route, body, self._by_name)
        told = [*problems, *unfollowed]
        if self._subsets is not None:
            route = istio_companions.with_labels(route, self._subsets)
            told += istio_companions.missing_subsets(route, self._subsets)
        told += [*self._rivals.get(uid_of(body), ()), *self._beside(route, body)]
        return ReadRoute(body, ref_of(body), LiveRoute(route, ref_of(body), body), base, tuple(told))

    def _beside(self, route: Route, body: JsonObject) -> Iterator[Problem]:
        if route.scope == istio_read.DELEGATE:
            by = self._delegating.get((namespace_of(body), name_of(body)), [])
            text = f"{', '.join(by)} delegates to it." if by else "None does: it decides nothing."
            yield Problem("spec.hosts", text)
        elif route.scope != "gateway":
            for other in self._routes.get((route.root.namespace, route.root.service), ()):
                text = f"{titled(other)} decides for the same Service: which of the two Istio takes is not known."
                yield Problem("spec.hosts", text)
