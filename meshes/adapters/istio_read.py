"""Reading VirtualServices. Pure. An absent weight is 0 among several destinations; a single destination gets all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import Problem, UnreadableRouteError
from meshes.adapters.edits import named_rules
from meshes.adapters.istio_match import match_of
from meshes.adapters.natives import milliseconds, name_of, namespace_of
from meshes.adapters.shapes import VirtualService, fault_of, named
from meshes.adapters.shares import basis_points
from meshes.types import FULL, Backend, Root, Route, Rule, WeightedBackend
from meshui.lib.canonical import NotCanonicalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshui.lib.jsontypes import JsonObject

RULE_FIELDS = {"name", "match", "route", "timeout"}
DELEGATE = "delegate"
"""The scope of a VirtualService without hosts: it decides nothing but what others hand to it."""


def route_of(body: JsonObject) -> tuple[Route, tuple[Problem, ...]]:
    """A VirtualService as a Route, and what of it the model has no words for (it stays as it is when weights move).

    Raises UnreadableRouteError where nothing sensible can be said: not the shape, no HTTP rule.
    """
    if fault := fault_of(body, VirtualService):
        raise UnreadableRouteError([Problem(named(body), f"It is not what a VirtualService looks like: {fault}.")])
    spec = cast("dict[str, Any]", body["spec"])
    namespace = namespace_of(body)
    problems = list(_unsaid(spec, namespace))
    if not spec.get("http"):
        raise UnreadableRouteError([Problem("spec.http", "It has no HTTP rule: there is nothing to split."), *problems])
    try:
        rules = tuple(_rule(index, rule, namespace, problems) for index, rule in enumerate(spec["http"]))
    except NotCanonicalError as error:
        raise UnreadableRouteError([Problem("spec.http", f"A match cannot be told exactly: {error}.")]) from error
    hosts = [str(host) for host in spec.get("hosts") or []]
    root = _root(hosts, namespace) if hosts else Root(name_of(body), namespace)
    return Route(root, named_rules(rules), "http", scope_of(spec, namespace)), tuple(problems)


def outline_of(body: JsonObject) -> Route | None:
    """Root and scope alone, without its rules; None where its shape does not say them."""
    spec = body.get("spec")
    hosts = spec.get("hosts") or [] if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        return None
    if any(not isinstance(spec.get(field) or [], list) for field in ("gateways", "exportTo", "http")):
        return None
    namespace = namespace_of(body)
    root = _root([str(host) for host in hosts], namespace) if hosts else Root(name_of(body), namespace)
    return Route(root, (), "http", scope_of(spec, namespace))


def scope_of(spec: Mapping[str, Any], namespace: str) -> str:
    """Whose requests it decides: `producer` every client, `consumer(a,b)` those namespaces, `gateway` no sidecar.

    `delegate`: only what other VirtualServices hand to it.
    """
    if not spec.get("hosts"):
        return DELEGATE
    if "mesh" not in (spec.get("gateways") or ["mesh"]):
        return "gateway"
    exported = spec.get("exportTo") or ["*"]
    if "*" in exported:
        return "producer"
    return f"consumer({','.join(sorted(namespace if place == '.' else str(place) for place in exported))})"


def _root(hosts: Sequence[str], namespace: str) -> Root:
    """The first host that is a service of the cluster, else the first: clients outside call that one."""
    first = next((host for host in hosts if is_service_host(host)), hosts[0])
    service, where = split_host(first, namespace)
    return Root(service, where, None, tuple(hosts))


def _unsaid(spec: dict[str, Any], namespace: str) -> Iterator[Problem]:
    if not spec.get("hosts"):
        text = "It names no host: its rules count only where another VirtualService delegates to it."
        yield Problem("spec.hosts", text)
    for field in ("tcp", "tls"):
        if count := len(spec.get(field) or []):
            yield Problem(f"spec.{field}", f"{field.upper()} rules ({count}) are not shown; they stay as they are.")
    gateways = [str(gateway) for gateway in spec.get("gateways") or [] if gateway != "mesh"]
    if gateways:
        how = "also decides at" if "mesh" in spec["gateways"] else "decides only at"
        yield Problem("spec.gateways", f"It {how} the gateways {', '.join(gateways)}.")
    services = dict.fromkeys(split_host(h, namespace) for h in spec.get("hosts") or [] if is_service_host(h))
    if len(services) > 1:
        others = ", ".join(f"{where}/{name}" for name, where in list(services)[1:])
        yield Problem("spec.hosts", f"It also decides for {others}: weights move for all of them.")


def _rule(index: int, rule: dict[str, Any], namespace: str, problems: list[Problem]) -> Rule:
    where = f"spec.http[{index}]"
    backends = _backends(rule.get("route") or [], namespace)
    if len(backends) > 1 and not any(backend.weight_bp for backend in backends):
        problems.append(Problem(f"{where}.route", "All weights are 0: Istio would refuse this rule today."))
    return Rule(
        name=str(rule.get("name") or ""),
        matches=tuple(match_of(match) for match in rule.get("match") or []),
        backends=backends,
        timeout_ms=milliseconds(rule.get("timeout")),
        extras=tuple(sorted(key for key, value in rule.items() if key not in RULE_FIELDS and value is not None)),
    )


def _backends(route: list[dict[str, Any]], namespace: str) -> tuple[WeightedBackend, ...]:
    weights = [int(entry.get("weight") or 0) for entry in route]
    shares = [FULL] if len(route) == 1 else basis_points(weights)
    return tuple(
        WeightedBackend(
            backend=_backend(entry["destination"], namespace),
            weight_bp=share,
            native_weight=None if entry.get("weight") is None else str(entry["weight"]),
        )
        for entry, share in zip(route, shares, strict=True)
    )


def _backend(destination: dict[str, Any], namespace: str) -> Backend:
    service, where = split_host(str(destination["host"]), namespace)
    port = (destination.get("port") or {}).get("number")
    subset = str(destination.get("subset") or "")
    return Backend("subset" if subset else "service", service, where, port, subset)


def is_service_host(host: str) -> bool:
    """A short name, or `service.namespace.svc.domain`. `service.namespace` is neither: Istio takes it as it stands."""
    parts = host.split(".")
    return (len(parts) == 1 and host != "*") or (len(parts) >= 4 and parts[2] == "svc" and parts[0] != "*")


def split_host(host: str, namespace: str) -> tuple[str, str]:
    """(service, namespace): short names are of the VirtualService's namespace; what is no service stays whole."""
    parts = host.split(".")
    if len(parts) > 1 and is_service_host(host):
        return parts[0], parts[1]
    return host, namespace
