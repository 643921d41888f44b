"""What istiod's validating webhook refuses, in its words, as far as routes and their destinations go.

Facts from Istio 1.31 (`pkg/config/validation`), proved by the contract suite against the real istiod. Weights are
relative: 90 and 20 are fine, none may be negative, and several destinations may not all have 0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playground.apiserver.admission import AdmissionRequest, Denial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

GROUP = "networking.istio.io"
RESOURCES = (f"virtualservices.{GROUP}", f"destinationrules.{GROUP}")
WEBHOOK = "rev.validation.istio.io"
LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
SUBSET = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
ACTIONS = ("redirect", "route", "delegate", "directResponse")


def istio_validator(request: AdmissionRequest) -> Denial | None:
    """Refuse what istiod would refuse; an admission hook for the two kinds in RESOURCES."""
    if request.object is None:
        return None
    spec = request.object.get("spec") or {}
    if request.resource.startswith("virtualservices"):
        faults = list(_virtual_service(spec))
    else:
        faults = list(_destination_rule(spec))
    if not faults:
        return None
    lines = faults[0] if len(faults) == 1 else f"{len(faults)} errors occurred:\n\t* " + "\n\t* ".join(faults) + "\n\n"
    return Denial(f"configuration is invalid: {lines}", 400, WEBHOOK)


def _virtual_service(spec: Json) -> Iterator[str]:
    hosts = spec.get("hosts") or []
    if not hosts:
        yield from _delegate(spec)
    if not any(spec.get(kind) for kind in ("http", "tcp", "tls")):
        yield "http, tcp or tls must be provided in virtual service"
    yield from _hosts(hosts, spec.get("gateways") or ["mesh"])
    for route in spec.get("http") or ():
        yield from _http_route(route, is_delegate=not hosts)
    for kind in ("tcp", "tls"):
        for route in spec.get(kind) or ():
            if not route.get("route"):
                yield f"{kind.upper()} route is required"
            yield from _destinations(route.get("route") or [])


def _hosts(hosts: list[str], gateways: list[str]) -> Iterator[str]:
    for host in hosts:
        yield from _host(host)
        if host == "*" and "mesh" in gateways:
            yield "wildcard host * is not allowed for virtual services bound to the mesh gateway"
    for host in sorted({host for host in hosts if hosts.count(host) > 1}):
        yield f"duplicate hosts in virtual service: {host}"


def _delegate(spec: Json) -> Iterator[str]:
    if spec.get("gateways"):
        yield "delegate virtual service must have no gateways specified"
    if spec.get("tls"):
        yield "delegate virtual service must have no tls route specified"
    if spec.get("tcp"):
        yield "delegate virtual service must have no tcp route specified"


def _host(host: str) -> Iterator[str]:
    if not host:
        yield 'domain name "" invalid (empty)'
        return
    if len(host) > 255:
        yield f'domain name "{host}" is longer than 255 characters'
    parts = host.rstrip(".").split(".")
    for index, part in enumerate(parts):
        is_wildcard = index == 0 and (part == "*" or re.fullmatch(r"\*[-a-zA-Z0-9]*", part) is not None)
        if not is_wildcard and not LABEL.fullmatch(part):
            yield f'domain name "{host}" invalid (label "{part}" invalid)'
            return


def _http_route(route: Json, *, is_delegate: bool) -> Iterator[str]:
    found = [action for action in ACTIONS if route.get(action)]
    if not found:
        yield "HTTP route, redirect or direct_response is required"
    elif len(found) > 1:
        yield f"HTTP route cannot contain both {found[1]} and {found[0]}"
    if is_delegate and route.get("delegate"):
        yield "delegate HTTP route cannot contain delegate"
    yield from _mirrors(route)
    for match in route.get("match") or ():
        yield from _http_match(match)
    retries = route.get("retries") or {}
    if retries.get("attempts", 0) < 0:
        yield "attempts cannot be negative"
    yield from _fault(route.get("fault") or {})
    yield from _destinations(route.get("route") or [])


def _mirrors(route: Json) -> Iterator[str]:
    if route.get("mirror") and route.get("mirrors"):
        yield "HTTP route cannot contain both mirror and mirrors"
    for percentage in (route.get("mirrorPercentage"), *(each.get("percentage") for each in route.get("mirrors") or ())):
        value = (percentage or {}).get("value", 0)
        if not 0 <= value <= 100:
            yield f"mirror_percentage must be between 0 and 100 (it has {value})"


def _http_match(match: Json) -> Iterator[str]:
    maps = [match.get(name) or {} for name in ("headers", "withoutHeaders", "queryParams")]
    texts = [match.get(name) or {} for name in ("uri", "scheme", "method", "authority")]
    for string_match in (*texts, *(each for found in maps for each in found.values())):
        pattern = (string_match or {}).get("regex")
        if pattern is None:
            continue
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{pattern!r} is not a valid regex: {error}"


def _fault(fault: Json) -> Iterator[str]:
    for kind in ("delay", "abort"):
        value = ((fault.get(kind) or {}).get("percentage") or {}).get("value", 0)
        if not 0 <= value <= 100:
            yield f"percentage {value} is not in range 0..100"
    status = (fault.get("abort") or {}).get("httpStatus")
    if status is not None and not 200 <= status <= 599:
        yield f"HTTP status {status} is not in range 200..599"


def _destinations(destinations: list[Json]) -> Iterator[str]:
    total = 0
    for each in destinations:
        weight = each.get("weight", 0)
        total += weight
        if weight < 0:
            yield f"weight {weight} < 0"
        yield from _destination(each.get("destination") or {})
    if len(destinations) > 1 and total == 0:
        yield "total destination weight = 0"


def _destination(destination: Json) -> Iterator[str]:
    host = destination.get("host", "")
    if host == "*":
        yield "invalid destination host *"
    yield from _host(host)
    subset = destination.get("subset")
    if subset and not SUBSET.fullmatch(subset):
        yield f"subset name is invalid: {subset}"
    if "port" in destination and not 1 <= (destination["port"] or {}).get("number", 0) <= 65535:
        yield f"port number {(destination['port'] or {}).get('number', 0)} must be in the range 1..65535"


def _destination_rule(spec: Json) -> Iterator[str]:
    yield from _host(spec.get("host", ""))
    for subset in spec.get("subsets") or ():
        name = subset.get("name", "")
        if not name:
            yield "subset name is required"
        elif not SUBSET.fullmatch(name):
            yield f"subset name is invalid: {name}"
        yield from _traffic_policy(subset.get("trafficPolicy"))
    yield from _traffic_policy(spec.get("trafficPolicy"))


def _traffic_policy(policy: Json | None) -> Iterator[str]:
    if policy is None:
        return
    if not policy:
        yield "traffic policy must have at least one field"
    outlier = policy.get("outlierDetection") or {}
    for field in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= outlier.get(field, 0) <= 100:
            yield f"percentage {outlier[field]} is not in range 0..100"
    tls = policy.get("tls") or {}
    if tls.get("mode") == "MUTUAL" and not tls.get("credentialName"):
        for field, text in (("clientCertificate", "client certificate"), ("privateKey", "private key")):
            if not tls.get(field):
                yield f"{text} required for mutual tls"
