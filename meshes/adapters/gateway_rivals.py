"""Routes of the Gateway API beside each other: who reads which, and which are for the same Service. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from meshes.adapters import shapes
from meshes.adapters.base import Problem, ReadRoute, Ties, UnreadableRouteError, mark, namespace_mark
from meshes.adapters.gateway_kinds import mistaken_parents, owner_of, parents_of, places_of, ref_of
from meshes.adapters.gateway_read import route_of
from meshes.adapters.gateway_shapes import GatewayRoute
from meshes.adapters.gateway_write import project
from meshes.adapters.natives import name_of, namespace_of, titled, uid_of
from meshes.adapters.shapes import fault_of, named
from meshes.types import LiveRoute
from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from meshes.adapters.gateway_kinds import Flavour
    from meshui.lib.jsontypes import JsonObject

MOST_RIVALS = 5
HANDFUL = 5


@dataclass(frozen=True, slots=True)
class Sorted:
    """The routes that a mesh reads, and by uid what is to be said of those that nobody reads."""

    mine: tuple[JsonObject, ...]
    told: dict[str, tuple[Problem, ...]]


def sorted_out(bodies: Iterable[JsonObject], namespaces: Sequence[JsonObject], flavour: Flavour) -> Sorted:
    """Those of `flavour`; what is claimed by no mesh is said by each that might have been meant."""
    spaces = {name_of(body): body for body in namespaces}
    mine: list[JsonObject] = []
    told: dict[str, tuple[Problem, ...]] = {}
    for body in bodies:
        is_mine, problems = _sorted_out(body, spaces, flavour)
        if is_mine:
            mine.append(body)
        if problems:
            uid = shapes.uid_of(body)
            told[uid] = (*told.get(uid, ()), *problems)
    return Sorted(tuple(mine), told)


def _sorted_out(
    body: JsonObject, spaces: Mapping[str, JsonObject], flavour: Flavour
) -> tuple[bool, tuple[Problem, ...]]:
    """Whether it is of `flavour`, and what is to be said of it."""
    if fault := fault_of(body, GatewayRoute):
        return False, (Problem(named(body), f"It is not what a route looks like: {fault}."),)
    problems = [
        Problem(
            titled(body),
            f'Its parent {service} is no Service, for its group is not "". Write group: "" beside kind: Service.',
        )
        for service in mistaken_parents(body)
    ]
    owner = owner_of(body, spaces) if parents_of(body) else flavour.mesh
    if not owner:
        text = "No mesh says that it reads this route, and none injects into its namespaces: it does nothing."
        problems.append(Problem(titled(body), text))
    return bool(parents_of(body)) and owner == flavour.mesh, tuple(problems)


def ties_of(body: JsonObject) -> Ties:
    """By the Services that it decides for; which mesh reads it lies with the namespaces around."""
    try:
        converted(body, GatewayRoute)
    except msgspec.ValidationError:
        return Ties()
    hosts = tuple(dict.fromkeys(host_mark(parent.service, parent.namespace) for parent in parents_of(body)))
    return Ties(hosts, (*hosts, *(namespace_mark(name) for name in places_of(body))) if hosts else ())


def host_mark(service: str, namespace: str) -> int:
    """Of what decides for a Service, or for a host that clients call."""
    return mark("host", service, namespace)


def read_one(body: JsonObject, flavour: Flavour, problems: Iterable[Problem] = ()) -> ReadRoute:
    """One route, read; None where it cannot be."""
    try:
        route, found = route_of(body, flavour)
        base = project(body).hash
    except UnreadableRouteError as error:
        return ReadRoute(body, ref_of(body), None, problems=error.problems)
    return ReadRoute(body, ref_of(body), LiveRoute(route, ref_of(body), body), base, (*found, *problems))


def beside(body: JsonObject, others: Iterable[JsonObject]) -> list[JsonObject]:
    """The others with a Service and a port in common."""
    mine = parents_of(body)
    return [
        other
        for other in others
        if uid_of(other) != uid_of(body) and any(a.meets(b) for a in mine for b in parents_of(other))
    ]


def by_parent(bodies: Iterable[JsonObject]) -> dict[tuple[str, str], list[JsonObject]]:
    """Routes by the (namespace, name) of their Services."""
    found: dict[tuple[str, str], list[JsonObject]] = {}
    for body in bodies:
        for key in dict.fromkeys((parent.namespace, parent.service) for parent in parents_of(body)):
            found.setdefault(key, []).append(body)
    return found


def merged_problems(
    body: JsonObject,
    index: Mapping[tuple[str, str], Sequence[JsonObject]],
    words: Callable[[JsonObject, JsonObject], str],
) -> Iterator[Problem]:
    """What others of the same Service mean for this one, in the `words` of the mesh; empty: nothing."""
    keys = dict.fromkeys((parent.namespace, parent.service) for parent in parents_of(body))
    near = [other for key in keys for other in index.get(key, ())]
    for other in beside(body, {uid_of(found): found for found in near}.values())[:MOST_RIVALS]:
        if text := words(body, other):
            yield Problem("spec.parentRefs", text)


def merged_words(body: JsonObject, other: JsonObject) -> str:
    """Routes of one kind are merged: the more exact match decides, then the older route."""
    if body.get("kind") != other.get("kind"):
        return f"{titled(other)} decides for the same Service too: which of them is read, the mesh says."
    if namespace_of(body) != namespace_of(other):
        return f"{titled(other)} decides for the same Service in its own namespace or for all clients."
    return f"{titled(other)} has rules for the same Service: the more exact match decides, then the older route."
