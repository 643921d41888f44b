"""What istiod's validating webhook refuses, in its words, as far as routes and their destinations go.

Facts of Istio 1.31 (its `pkg/config/validation`), proved by the contract suite against the real istiod. Weights are
relative: 90 and 20 are fine, none may be negative, and several destinations may not all have 0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playground.apiserver.admission import AdmissionRequest, Denial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playground.apiserver.jsontypes import Json, Objects

GROUP = "networking.istio.io"
RESOURCES = (f"virtualservices.{GROUP}", f"destinationrules.{GROUP}")
WEBHOOK = "rev.validation.istio.io"
LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
# What an HTTP route that redirects, or answers itself, may not have besides; and how istiod says it.
CONFLICTS = {
    "redirect": (
        ("route", "HTTP route cannot contain both route and redirect"),
        ("fault", "HTTP route cannot contain both fault and redirect"),
        ("rewrite", "HTTP route rule cannot contain both rewrite and redirect"),
        ("directResponse", "HTTP route rule cannot contain both direct_response and redirect"),
    ),
    "directResponse": (
        ("route", "HTTP route cannot contain both route and direct_response"),
        ("fault", "HTTP route cannot contain both fault and direct_response"),
        ("rewrite", "HTTP route rule cannot contain both rewrite and direct_response"),
    ),
}
LIMITS = {
    "http1MaxPendingRequests": "http1 max pending requests",
    "http2MaxRequests": "http2 max requests",
    "maxRequestsPerConnection": "max requests per connection",
    "maxRetries": "max retries",
    "maxConnections": "max connections",
}


def istio_validator(request: AdmissionRequest) -> Denial | None:
    """Refuse what istiod would refuse; an admission hook for the two kinds in RESOURCES."""
    if request.object is None:
        return None
    spec = request.object.get("spec") or {}
    judge = _virtual_service if request.resource == RESOURCES[0] else _destination_rule
    faults = list(judge(spec))
    if not faults:
        return None
    count = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
    text = f"{count} occurred:\n\t* " + "\n\t* ".join(faults) + "\n\n"
    return Denial(f"configuration is invalid: {text}", 400, WEBHOOK)


def _virtual_service(spec: Json) -> Iterator[str]:
    hosts = spec.get("hosts") or []
    if not hosts:
        yield from _delegate(spec)
    yield from _hosts(hosts, spec.get("gateways") or ["mesh"])
    if not any(spec.get(kind) for kind in ("http", "tcp", "tls")):
        yield "http, tcp or tls must be provided in virtual service"
    for route in spec.get("http") or ():
        yield from _http_route(route, is_delegate=not hosts)
    for kind in ("tls", "tcp"):
        for route in spec.get(kind) or ():
            if not route.get("route"):
                yield f"{kind.upper()} route is required"
            yield from _destinations(route.get("route") or [])


def _delegate(spec: Json) -> Iterator[str]:
    for field, text in (("gateways", "gateways"), ("tls", "tls route"), ("tcp", "tcp route")):
        if spec.get(field):
            yield f"delegate virtual service must have no {text} specified"


def _hosts(hosts: list[str], gateways: list[str]) -> Iterator[str]:
    faults = [fault for host in hosts for fault in _domain(host)]
    if gateways == ["mesh"] and "*" in hosts:
        faults.append("wildcard host * is not allowed for virtual services bound to the mesh gateway")
    yield from faults
    if faults:
        return
    for index, host in enumerate(hosts):
        for other in hosts[index + 1 :]:
            if _overlap(host, other):
                yield f"duplicate hosts in virtual service: {host} & {other}"


def _overlap(one: str, other: str) -> bool:
    """Tell whether a name, or a wildcard, stands for some of the other's names."""
    if one.startswith("*"):
        return other.lstrip("*").endswith(one[1:]) or (other.startswith("*") and one[1:].endswith(other[1:]))
    return one.endswith(other[1:]) if other.startswith("*") else one == other


def _domain(domain: str) -> Iterator[str]:
    """Yield what is wrong with a domain name whose first label may be a wildcard."""
    if not domain or len(domain) > 255:
        yield f'domain name "{domain}" too long (max 255)' if domain else "empty domain name not allowed"
        return
    first, *rest = domain.split(".")
    if not re.fullmatch(rf"\*|(\*-?)?{LABEL.pattern}", first):
        yield f'domain name "{domain}" invalid (label "{first}" invalid)'
        return
    if rest and rest[-1].isdigit():
        yield f'domain name "{domain}" invalid (top level domain "{rest[-1]}" cannot be all-numeric)'
        return
    wrong = [label for label in (rest[:-1] if rest and not rest[-1] else rest) if not LABEL.fullmatch(label)]
    if wrong:
        yield f'domain name "{domain}" invalid (label "{wrong[0]}" invalid)'


def _http_route(route: Json, *, is_delegate: bool) -> Iterator[str]:
    yield from _conflicts(route, is_delegate=is_delegate)
    for match in route.get("match") or ():
        yield from _http_match(match)
    yield from _fault(route.get("fault"))
    yield from _mirrors(route)
    yield from _redirect(route.get("redirect"))
    if "directResponse" in route:
        yield from _http_status(route["directResponse"].get("status", 0))
    if (route.get("retries") or {}).get("attempts", 0) < 0:
        yield "attempts cannot be negative"
    yield from _destinations(route.get("route") or [])


def _conflicts(route: Json, *, is_delegate: bool) -> Iterator[str]:
    if "delegate" in route and not is_delegate:
        found = [action for action in ("redirect", "route") if action in route]
        yield from (f"root HTTP route {route.get('name', '')} must not specify {action}" for action in found)
        return
    if "delegate" in route:
        yield "delegate HTTP route cannot contain delegate"
    action = next((action for action in CONFLICTS if action in route), "")
    for field, text in CONFLICTS.get(action, ()):
        if route.get(field) or (field in route and field != "route"):
            yield text
    if not action and not route.get("route"):
        yield "HTTP route, redirect or direct_response is required"
    if "mirror" in route and route.get("mirrors"):
        yield "HTTP route cannot contain both mirror and mirrors"


def _http_match(match: Json) -> Iterator[str]:
    yield from _string_matches("uri", [match.get("uri")], may_be_empty=True)
    for field in ("scheme", "method", "authority"):
        yield from _string_matches(field, [match.get(field)])
    for field in ("headers", "withoutHeaders", "queryParams"):
        yield from _string_matches(field, (match.get(field) or {}).values())


def _string_matches(where: str, matches: Iterable[Json | None], *, may_be_empty: bool = False) -> Iterator[str]:
    for match in matches:
        if not match:
            continue
        if match.get("prefix") == "" and not may_be_empty:
            yield f'"{where}": prefix string match should not be empty'
        if match.get("regex") == "":
            yield f'"{where}": regex string match should not be empty'
        try:
            re.compile(match.get("regex", ""))
        except re.error as error:
            yield f'"{where}": invalid regex: {error}'


def _fault(fault: Json | None) -> Iterator[str]:
    if fault is None:
        return
    if not fault.keys() & {"abort", "delay"}:
        yield "HTTP fault injection must have an abort and/or a delay"
    for kind in ("abort", "delay"):
        value = ((fault.get(kind) or {}).get("percentage") or {}).get("value", 0)
        if not 0 <= value <= 100 or 0 < value < 0.0001:
            yield f"percentage {value} is neither 0.0, nor in range [0.0001, 100.0]"
    abort = fault.get("abort") or {}
    if "httpStatus" in abort:
        yield from _http_status(abort["httpStatus"])


def _http_status(status: int) -> Iterator[str]:
    if not 200 <= status <= 599:
        yield f"HTTP status {status} is not in range 200-599"


def _mirrors(route: Json) -> Iterator[str]:
    mirrors = route.get("mirrors") or []
    for name, percentage in (
        ("mirror_percentage", route.get("mirrorPercentage")),
        *(("mirror percentage", mirror.get("percentage")) for mirror in mirrors),
    ):
        value = (percentage or {}).get("value", 0)
        if value > 100:
            yield f"{name} must have a max value of 100 (it has {value:f})"
        if value < 0:
            yield f"{name} must have a min value of 0 (it has {value:f})"
    for destination in (route.get("mirror"), *(mirror["destination"] for mirror in mirrors)):
        if destination is not None:
            yield from _destination(destination)


def _redirect(redirect: Json | None) -> Iterator[str]:
    if redirect is None:
        return
    if not any(redirect.get(field) for field in ("uri", "authority", "scheme", "port", "derivePort")):
        yield "redirect must specify URI, authority, scheme, or port"
    code = redirect.get("redirectCode", 0)
    if code and not 300 <= code <= 399:
        yield f"{code} is not a valid redirect code, must be 3xx"
    if redirect.get("scheme", "") not in {"", "http", "https"}:
        yield 'invalid redirect scheme, must be "http" or "https"'


def _destinations(destinations: Objects) -> Iterator[str]:
    weights = [each.get("weight", 0) for each in destinations]
    for each, weight in zip(destinations, weights, strict=True):
        yield from _destination(each["destination"])
        if weight < 0:
            yield f"weight {weight} < 0"
    if len(weights) > 1 and sum(weights) == 0:
        yield "total destination weight = 0"


def _destination(destination: Json) -> Iterator[str]:
    host = destination.get("host", "")
    if host == "*":
        yield "invalid destination host *"
    else:
        yield from _domain(host)
    if destination.get("subset"):
        yield from _subset_name(destination["subset"])
    if "port" in destination:
        number = destination["port"].get("number", 0)
        if not 1 <= number <= 65535:
            yield f"port number {number} must be in the range 1..65535"


def _subset_name(name: str) -> Iterator[str]:
    if not LABEL.fullmatch(name):
        yield f"subset name is invalid: {name}" if name else "subset name cannot be empty"


def _destination_rule(spec: Json) -> Iterator[str]:
    yield from _domain(spec.get("host", ""))
    yield from _traffic_policy(spec.get("trafficPolicy"))
    seen: set[str] = set()
    for subset in spec.get("subsets") or ():
        name = subset["name"]
        if name in seen:
            yield f"duplicate subset names: {name}"
        seen.add(name)
        yield from _subset_name(name)
        yield from _traffic_policy(subset.get("trafficPolicy"))


def _traffic_policy(policy: Json | None) -> Iterator[str]:
    if policy is None:
        return
    if not policy:
        yield "traffic policy must have at least one field"
    yield from _settings(policy)
    for settings in policy.get("portLevelSettings") or ():
        if "port" not in settings:
            yield "portTrafficPolicy must have valid port"
        if settings.keys() <= {"port"}:
            yield "port traffic policy must have at least one field"
        yield from _settings(settings)


def _settings(settings: Json) -> Iterator[str]:
    """Yield what is wrong with the settings that a policy and a port of it both have."""
    outlier = settings.get("outlierDetection") or {}
    for field in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= outlier.get(field, 0) <= 100:
            yield f"percentage {outlier[field]} is not in range 0..100"
    if outlier.get("consecutiveLocalOriginFailures") and not outlier.get("splitExternalLocalOriginErrors"):
        yield (
            "outlier detection consecutive local origin failures is specified, "
            "but split external local origin errors is set to false"
        )
    yield from _connection_pool(settings.get("connectionPool"))
    tls = settings.get("tls") or {}
    if tls.get("mode") == "MUTUAL" and not tls.get("credentialName"):
        for field, text in (("clientCertificate", "client certificate"), ("privateKey", "private key")):
            if not tls.get(field):
                yield f"{text} required for mutual tls"


def _connection_pool(pool: Json | None) -> Iterator[str]:
    if pool is None:
        return
    if not pool.keys() & {"http", "tcp"}:
        yield "connection pool must have at least one field"
    for kind in ("http", "tcp"):
        for field, value in (pool.get(kind) or {}).items():
            if field in LIMITS and value < 0:
                yield f"{LIMITS[field]} must be non-negative"
