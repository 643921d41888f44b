"""Reading VirtualServices. Pure. An absent weight is 0 among several destinations; a single destination gets all."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import Problem, UnreadableRouteError
from meshes.adapters.shapes import VirtualService, fault_of, named
from meshes.types import (
    FULL,
    Backend,
    HeaderMatch,
    Match,
    PathMatch,
    QueryMatch,
    Root,
    Route,
    Rule,
    WeightedBackend,
)
from meshui.lib.canonical import NotCanonicalError, canonical, without_nulls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshes.types import StringMatchType
    from meshui.lib.jsontypes import JsonObject

STRING_MATCHES = {"exact", "prefix", "regex"}
RULE_FIELDS = {"name", "match", "route", "timeout"}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def name_of(body: Mapping[str, Any]) -> str:
    """metadata.name."""
    return str((body.get("metadata") or {}).get("name") or "")


def namespace_of(body: Mapping[str, Any]) -> str:
    """metadata.namespace."""
    return str((body.get("metadata") or {}).get("namespace") or "")


def labels_of(body: Mapping[str, Any]) -> dict[str, str]:
    """metadata.labels."""
    return dict((body.get("metadata") or {}).get("labels") or {})


def route_of(body: JsonObject) -> tuple[Route, tuple[Problem, ...]]:
    """A VirtualService as a Route, and what of it the model has no words for (it stays as it is when weights move).

    Raises UnreadableRouteError where nothing sensible can be said: not the shape, no hosts, no HTTP rule.
    """
    if fault := fault_of(body, VirtualService):
        raise UnreadableRouteError([Problem(named(body), f"It is not what a VirtualService looks like: {fault}.")])
    spec = cast("dict[str, Any]", body["spec"])
    namespace = namespace_of(body)
    problems = list(_unsaid(spec, namespace))
    if not spec.get("hosts"):
        text = "It names no host: its rules count only where another VirtualService delegates to it."
        raise UnreadableRouteError([Problem("spec.hosts", text), *problems])
    if not spec.get("http"):
        raise UnreadableRouteError([Problem("spec.http", "It has no HTTP rule: there is nothing to split."), *problems])
    try:
        rules = tuple(_rule(index, rule, namespace, problems) for index, rule in enumerate(spec["http"]))
    except NotCanonicalError as error:
        raise UnreadableRouteError([Problem("spec.http", f"A match cannot be told exactly: {error}.")]) from error
    root = _root([str(host) for host in spec["hosts"]], namespace)
    return Route(root, _named(rules), "http", scope_of(spec, namespace)), tuple(problems)


def scope_of(spec: Mapping[str, Any], namespace: str) -> str:
    """Whose requests it decides: `producer` every client, `consumer(a,b)` those namespaces, `gateway` no sidecar."""
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
    delegate = rule.get("delegate")
    if delegate:
        target = f"{delegate.get('namespace') or namespace}/{delegate.get('name')}"
        problems.append(Problem(f"{where}.delegate", f"Its requests go on to VirtualService {target}: not followed."))
    backends = _backends(rule.get("route") or [], namespace)
    if len(backends) > 1 and not any(backend.weight_bp for backend in backends):
        problems.append(Problem(f"{where}.route", "All weights are 0: Istio would refuse this rule today."))
    return Rule(
        name=str(rule.get("name") or ""),
        matches=tuple(_match(match) for match in rule.get("match") or []),
        backends=backends,
        timeout_ms=milliseconds(rule.get("timeout")),
        extras=tuple(sorted(key for key, value in rule.items() if key not in RULE_FIELDS and value is not None)),
    )


def _named(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Every rule has a name of its own: the native one, else its place."""
    native = {rule.name for rule in rules}
    taken: set[str] = set()
    found = []
    for index, rule in enumerate(rules):
        name = rule.name
        if not name or name in taken:
            name = f"rule-{index + 1}"
            while name in taken or name in native:
                name += "-"
        taken.add(name)
        found.append(replace(rule, name=name))
    return tuple(found)


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


def basis_points(weights: Sequence[int]) -> list[int]:
    """Relative weights as basis points by largest remainder, ties to the first; all zero stays all zero."""
    total = sum(weights)
    if total <= 0:
        return [0 for _ in weights]
    floors = [FULL * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(FULL * weights[i] % total), i))
    for index in order[: FULL - sum(floors)]:
        floors[index] += 1
    return floors


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


def _match(match: dict[str, Any]) -> Match:
    """Parts that the model cannot say become `opaque`; nothing is dropped, for that would widen the match."""
    opaque: dict[str, Any] = {}
    known = ("uri", "method", "headers", "withoutHeaders", "queryParams", "name")
    opaque.update({key: value for key, value in match.items() if key not in known and value is not None})
    path = None
    if uri := match.get("uri"):
        kind, value = next(iter(uri.items()))
        if kind in STRING_MATCHES and not match.get("ignoreUriCase"):
            path = PathMatch(cast("Any", kind), str(value))
        else:
            opaque["uri"] = uri
    method = match.get("method") or {}
    if method and set(method) != {"exact"}:
        opaque["method"] = method
    return Match(
        path=path,
        methods=(str(method["exact"]),) if set(method) == {"exact"} else (),
        headers=tuple(sorted(_headers(match, opaque), key=lambda h: (h.name, h.is_inverted))),
        query=tuple(
            QueryMatch(name, *_string(value)) for name, value in sorted(_sayable(match, "queryParams", opaque).items())
        ),
        opaque=tuple(sorted((key, canonical(plain(value)).decode()) for key, value in opaque.items())),
    )


def _headers(match: dict[str, Any], opaque: dict[str, Any]) -> Iterator[HeaderMatch]:
    for field, is_inverted in (("headers", False), ("withoutHeaders", True)):
        for name, value in _sayable(match, field, opaque).items():
            yield HeaderMatch(name.lower(), *_string(value), is_inverted)


def _sayable(match: dict[str, Any], field: str, opaque: dict[str, Any]) -> dict[str, Any]:
    """The string matches of `field` that the model has words for; the others go into `opaque`."""
    found = match.get(field) or {}
    strange = {name: value for name, value in found.items() if value and next(iter(value)) not in STRING_MATCHES}
    if strange:
        opaque[field] = strange
    return {name: value for name, value in found.items() if name not in strange}


def _string(value: dict[str, Any] | None) -> tuple[StringMatchType, str]:
    if not value:
        return "present", ""
    kind, text = next(iter(value.items()))
    return cast("StringMatchType", kind), str(text)


def milliseconds(duration: object) -> int | None:
    """`1m30s` → 90000; absent → None."""
    if not duration:
        return None
    return round(sum(float(number) * UNITS[unit] for number, unit in DURATION.findall(str(duration))))


def plain(value: object) -> object:
    """JSON as canonical JSON takes it: 99.5 becomes "99.5", 50.0 the integer 50, and nulls go."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in cast("dict[str, Any]", without_nulls(value)).items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else repr(value)
    return value
