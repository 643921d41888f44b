"""What switches a route of Linkerd off: ServiceProfiles, a GRPCRoute of its Service, opaque and skipped ports. Pure.

Traps 14 and 15 of mesh-reference §12: such a route is stored and accepted, and moves no request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import mark
from meshes.adapters.edits import refused
from meshes.adapters.gateway_kinds import is_route
from meshes.adapters.gateway_rivals import beside
from meshes.adapters.natives import annotations_of, name_of, namespace_of, titled
from meshes.types import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshes.types import Around, LiveRoute, Root, Route
    from meshui.lib.jsontypes import JsonObject

OPAQUE = "config.linkerd.io/opaque-ports"
SKIPPED = "config.linkerd.io/skip-outbound-ports"
OPAQUE_PROTOCOL = "linkerd.io/opaque"
DEFAULT_OPAQUE = "25,587,3306,4444,5432,6379,9300,11211"
"""What Linkerd takes for opaque where nobody says otherwise."""

RULE_FIELDS = {"matches", "filters", "backendRefs", "timeouts"}
FILTERS = {"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect"}


def profiles_of(root: Root, bodies: Iterable[JsonObject], place: str) -> list[JsonObject]:
    """ServiceProfiles of a service, in its namespace or in `place`, where the clients of a consumer route are."""
    start = f"{root.service}.{root.namespace}.svc."
    places = {root.namespace, place}
    return [body for body in bodies if name_of(body).startswith(start) and namespace_of(body) in places]


def profile_mark(service: str, namespace: str) -> int:
    """What a route leans on: any ServiceProfile of its Service."""
    return mark("profile", f"{service}.{namespace}")


def profile_marks(name: str) -> tuple[int, ...]:
    """Of a ServiceProfile of this name, for each way to read it as `service.namespace.svc.domain`."""
    ends = [end for end in range(len(name)) if name.startswith(".svc.", end)]
    return tuple(mark("profile", name[:end]) for end in ends)


def profile_words(body: JsonObject) -> str:
    """Why nothing else counts, and what mends it."""
    return (
        f"{titled(body)} switches every route of this Service off. Move what it says into routes, then delete it; one "
        "that the SMI adaptor left behind stays until somebody deletes it."
    )


def losses(route: Route, live: LiveRoute | None, around: Around) -> Iterator[Loss]:
    """Why a write would move no request."""
    place = live.ref.namespace if live else route.root.namespace
    profiles = [body for body in around.companions if body.get("kind") == "ServiceProfile"]
    for body in profiles_of(route.root, profiles, place):
        yield refused("route", profile_words(body))
    if live is not None and live.ref.resource.kind == "HTTPRoute":
        for body in beside(live.body, [other for other in around.rivals if other.get("kind") == "GRPCRoute"]):
            yield refused("route", grpc_words(body))
    if live is None:
        for body in around.rivals:
            if is_route(body) and namespace_of(body) == route.root.namespace:
                yield refused("root", f"{titled(body)} decides for this service already. Change that one.")
    yield from _opaque_losses(route.root, around)
    yield from _skipped_losses(route.root, around)


def grpc_words(body: JsonObject) -> str:
    """A GRPCRoute takes all HTTPRoutes of its parent out of force."""
    return f"{titled(body)} is for the same Service: Linkerd then takes no HTTPRoute of it. Put the rules there."


def newer_fields(body: JsonObject) -> list[str]:
    """What a route holds that is newer than Gateway API 1.2.1, or that Linkerd has no filter for."""
    rules = cast("list[dict[str, Any]]", cast("dict[str, Any]", body.get("spec") or {}).get("rules") or [])
    found = [f"rules[].{field}" for rule in rules for field in rule if field not in RULE_FIELDS]
    filters = [filter_["type"] for rule in rules for filter_ in rule.get("filters") or []]
    return list(dict.fromkeys([*found, *(f"filter {name}" for name in filters if name not in FILTERS)]))


def newer_words(fields: list[str]) -> str:
    """Whether it counts all the same, the status says."""
    return f"It has {', '.join(fields)}, which Linkerd does not know: it may ignore the whole route. Its status tells."


def _opaque_losses(root: Root, around: Around) -> Iterator[Loss]:
    service = around.services.get((root.namespace, root.service))
    if service is None:
        return
    spaces = [b for b in around.companions if b.get("kind") == "Namespace" and name_of(b) == root.namespace]
    told = [annotations_of(body)[OPAQUE] for body in (service, *spaces) if OPAQUE in annotations_of(body)]
    opaque = told[0] if told else DEFAULT_OPAQUE
    for port in _ports(service):
        number = int(port.get("port") or 0)
        if root.port in {None, number} and _is_opaque(port, number, opaque):
            text = f"Port {number} of Service {root.service} is opaque to Linkerd: it sees no HTTP there to route."
            yield refused("root.port", text)


def _skipped_losses(root: Root, around: Around) -> Iterator[Loss]:
    """Clients that go past their own proxy: what the route says is not for them."""
    service = around.services.get((root.namespace, root.service))
    ports = [root.port] if root.port else [int(port.get("port") or 0) for port in _ports(service or {})]
    for body in around.companions:
        told = annotations_of(body).get(SKIPPED, "") if body.get("kind") == "Namespace" else ""
        for number in ports:
            if _is_listed(number, told):
                text = f"Pods of namespace {name_of(body)} skip port {number} ({SKIPPED}): the route is not for them."
                yield Loss("root.port", text)


def _ports(service: JsonObject) -> list[dict[str, Any]]:
    return cast("dict[str, Any]", service.get("spec") or {}).get("ports") or []


def _is_opaque(port: dict[str, Any], number: int, opaque: str) -> bool:
    if port.get("appProtocol"):
        return str(port["appProtocol"]) == OPAQUE_PROTOCOL
    return port.get("name") in {part.strip() for part in opaque.split(",")} or _is_listed(number, opaque)


def _is_listed(number: int, ports: str) -> bool:
    """Whether `25,8000-8100` holds it."""
    for part in ports.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and int(first) <= number <= int(last if last.isdigit() else first):
            return True
    return False
