"""Reading Istio's objects. Pure. An absent weight is 0 among several destinations; a single destination gets all."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import FoundControlPlane, Problem, UnreadableRouteError
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
    Version,
    WeightedBackend,
)
from meshui.lib.canonical import canonical, without_nulls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshes.types import LiveRoute, StringMatchType
    from meshui.lib.jsontypes import JsonObject

MATCHES = {"uri", "headers", "withoutHeaders", "queryParams", "method", "name"}
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


def is_istiod(body: JsonObject) -> bool:
    """A Deployment labelled app=istiod, in whatever namespace."""
    return labels_of(body).get("app") == "istiod"


def control_plane(body: JsonObject) -> FoundControlPlane:
    """One istiod: its revision by label, its version by the tag of container `discovery`'s image."""
    spec = cast("dict[str, Any]", body.get("spec") or {})
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    images = [c.get("image") or "" for c in containers if c.get("name") == "discovery"]
    status = cast("dict[str, Any]", body.get("status") or {})
    return FoundControlPlane(
        namespace=namespace_of(body),
        name=name_of(body),
        revision=labels_of(body).get("istio.io/rev", "default"),
        version=image_version(str(images[0])) if images else Version(0, 0, 0, ""),
        is_ready=int(status.get("availableReplicas") or 0) > 0,
    )


def image_version(image: str) -> Version:
    """`registry:5000/release/pilot:1.31.0@sha256:…` → 1.31.0; by digest alone unknown, with the digest as its text."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return Version.parse(tag) if tag else Version(0, 0, 0, digest or image)


def injection(namespace: JsonObject) -> tuple[str, str]:
    """(state, reason) of a namespace by its labels (mesh-reference §1a): injected, ambient, none."""
    labels = labels_of(namespace)
    if labels.get("istio.io/dataplane-mode") == "ambient":
        return "ambient", "istio.io/dataplane-mode=ambient"
    switch = labels.get("istio-injection")
    if switch == "enabled":
        return "injected", "istio-injection=enabled"
    if switch == "disabled":
        return "none", "istio-injection=disabled"
    revision = labels.get("istio.io/rev")
    if revision:
        return "injected", f"istio.io/rev={revision}"
    return "none", "no injection label"


def route_of(body: JsonObject) -> tuple[Route, tuple[Problem, ...]]:
    """A VirtualService as a Route, and what of it the model has no words for (it stays as it is when weights move).

    Raises UnreadableRouteError where nothing sensible can be said: no http, delegates, gateways alone.
    """
    spec = cast("dict[str, Any]", body.get("spec") or {})
    namespace = namespace_of(body)
    problems = list(_unsaid(spec))
    http = spec.get("http") or []
    if not http or not spec.get("hosts"):
        raise UnreadableRouteError(problems or [Problem("spec.http", "has no HTTP rule: nothing to split")])
    rules = tuple(_rule(index, rule, namespace, problems) for index, rule in enumerate(http))
    hosts = tuple(str(host) for host in spec["hosts"])
    service, root_namespace = _split_host(hosts[0], namespace)
    scope = "producer" if "mesh" in (spec.get("gateways") or ["mesh"]) else "gateway"
    return Route(Root(service, root_namespace, None, hosts), _named(rules), "http", scope), tuple(problems)


def _unsaid(spec: dict[str, Any]) -> Iterator[Problem]:
    for field in ("tcp", "tls"):
        if spec.get(field):
            yield Problem(f"spec.{field}", f"{len(spec[field])} {field} rules are not shown and stay as they are")
    gateways = [gateway for gateway in spec.get("gateways") or [] if gateway != "mesh"]
    if gateways:
        yield Problem("spec.gateways", f"also applies at {', '.join(map(str, gateways))}")


def _rule(index: int, rule: dict[str, Any], namespace: str, problems: list[Problem]) -> Rule:
    where = f"spec.http[{index}]"
    if rule.get("delegate"):
        delegate = rule["delegate"].get("name")
        problems.append(Problem(f"{where}.delegate", f"requests go on to VirtualService {delegate}: not followed"))
    matches = tuple(_match(m) for m in rule.get("match") or [])
    return Rule(
        name=str(rule.get("name") or ""),
        matches=matches,
        backends=_backends(rule.get("route") or [], namespace),
        timeout_ms=milliseconds(rule.get("timeout")),
        extras=tuple(sorted(set(rule) - RULE_FIELDS)),
    )


def _named(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Every rule has a name of its own: the native one, else its place."""
    taken: set[str] = set()
    named = []
    for index, rule in enumerate(rules):
        name = rule.name if rule.name and rule.name not in taken else f"rule-{index + 1}"
        taken.add(name)
        named.append(replace(rule, name=name))
    return tuple(named)


def _backends(route: list[dict[str, Any]], namespace: str) -> tuple[WeightedBackend, ...]:
    weights = [int(entry.get("weight") or 0) for entry in route]
    shares = [FULL] if len(route) == 1 else basis_points(weights)
    return tuple(
        WeightedBackend(
            backend=_backend(entry.get("destination") or {}, namespace),
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
    service, where = _split_host(str(destination.get("host") or ""), namespace)
    port = (destination.get("port") or {}).get("number")
    subset = str(destination.get("subset") or "")
    kind = "subset" if subset else "service"
    return Backend(cast("Any", kind), service, where, int(port) if port is not None else None, subset)


def _split_host(host: str, namespace: str) -> tuple[str, str]:
    """`checkout`, `checkout.shop`, `checkout.shop.svc.cluster.local` → (checkout, shop); others stay whole."""
    parts = host.split(".")
    if len(parts) == 1:
        return host, namespace
    if len(parts) >= 3 and parts[2] == "svc":
        return parts[0], parts[1]
    return host, namespace


def _match(match: dict[str, Any]) -> Match:
    headers = [_header(name, value, is_inverted=False) for name, value in (match.get("headers") or {}).items()]
    headers += [_header(name, value, is_inverted=True) for name, value in (match.get("withoutHeaders") or {}).items()]
    query = [QueryMatch(name, *_string(value)) for name, value in (match.get("queryParams") or {}).items()]
    method = match.get("method") or {}
    opaque = {key: value for key, value in match.items() if key not in MATCHES}
    if method and "exact" not in method:
        opaque["method"] = method
    return Match(
        path=_path(match.get("uri"), ignores_case=bool(match.get("ignoreUriCase"))),
        methods=(str(method["exact"]),) if "exact" in method else (),
        headers=tuple(sorted(headers, key=lambda h: (h.name, h.is_inverted))),
        query=tuple(sorted(query, key=lambda q: q.name)),
        opaque=tuple(sorted((key, canonical(plain(value)).decode()) for key, value in opaque.items())),
    )


def _path(uri: dict[str, Any] | None, *, ignores_case: bool) -> PathMatch | None:
    if not uri or ignores_case:
        return None if not uri else PathMatch("regex", f"(?i){next(iter(uri.values()))}")
    kind, value = next(iter(uri.items()))
    return PathMatch(cast("Any", kind), str(value))


def _header(name: str, value: dict[str, Any] | None, *, is_inverted: bool) -> HeaderMatch:
    kind, text = _string(value)
    return HeaderMatch(name.lower(), kind, text, is_inverted)


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
    """JSON as canonical JSON takes it: numbers with a fraction become text, nulls go."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in cast("dict[str, Any]", without_nulls(value)).items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return f"{value:g}" if isinstance(value, float) else value


def subset_labels(rules: Sequence[JsonObject]) -> dict[tuple[str, str, str], dict[str, str]]:
    """(namespace, service, subset) → labels over all DestinationRules; the first of a name wins, as in Istio."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for body in rules:
        spec = cast("dict[str, Any]", body.get("spec") or {})
        service, namespace = _split_host(str(spec.get("host") or ""), namespace_of(body))
        for subset in spec.get("subsets") or []:
            found.setdefault((namespace, service, str(subset.get("name"))), dict(subset.get("labels") or {}))
    return found


def with_labels(route: Route, subsets: Mapping[tuple[str, str, str], dict[str, str]]) -> Route:
    """`route` with the labels of its subsets beside them."""
    rules = tuple(
        replace(rule, backends=tuple(replace(b, backend=_labelled(b.backend, subsets)) for b in rule.backends))
        for rule in route.rules
    )
    return replace(route, rules=rules)


def _labelled(backend: Backend, subsets: Mapping[tuple[str, str, str], dict[str, str]]) -> Backend:
    labels = subsets.get((backend.namespace, backend.service, backend.subset), {})
    return replace(backend, labels=tuple(sorted(labels.items())))


def missing_subsets(route: Route, subsets: Mapping[tuple[str, str, str], dict[str, str]]) -> tuple[Problem, ...]:
    """Subsets that no DestinationRule defines: requests to them fail with 503 (trap 1g.1)."""
    wanted = dict.fromkeys(b.backend for rule in route.rules for b in rule.backends if b.backend.subset)
    return tuple(
        Problem("spec.http", f"no DestinationRule defines subset {b.subset} of {b.service}: its requests get 503")
        for b in wanted
        if (b.namespace, b.service, b.subset) not in subsets
    )


def duplicate_hosts(routes: Sequence[LiveRoute]) -> Iterator[Problem]:
    """Two VirtualServices of one host in the mesh: only one is effective, believed the older (ruling 11)."""
    owners: dict[tuple[str, str], LiveRoute] = {}
    for live in sorted(routes, key=lambda r: (str(r.metadata.get("creationTimestamp") or ""), r.ref.name)):
        if live.route.scope != "producer":
            continue
        for host in live.route.root.hosts:
            first = owners.setdefault(_split_host(host, live.ref.namespace), live)
            if first is not live:
                text = f"{first.ref} claims host {host} too; believed to win, being older: this one does nothing"
                yield Problem(str(live.ref), text)
