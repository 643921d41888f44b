"""Who calls whom, as far as it is known: routes say where requests are sent on to, measurements who sent them.

A proxy names the workload that called; the service that stands before it is looked up in the inventory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from clusters.models import Cluster
from meshes.models import RouteBackend, Workload
from metrics.selectors import list_edges
from traffic.sight import Sight

EVERYWHERE = "all"


@dataclass(frozen=True, slots=True, order=True)
class ServiceKey:
    """A service in one cluster (its slug), or in `all`."""

    cluster: str
    namespace: str
    name: str

    @property
    def text(self) -> str:
        """`eu-west/shop/checkout`: as a URL names it."""
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @property
    def typed(self) -> str:
        """As somebody types it: `shop/checkout`, with its cluster if it is of one alone."""
        return f"{self.namespace}/{self.name}" if self.cluster == EVERYWHERE else self.text


@dataclass(frozen=True, slots=True)
class Call:
    """Requests of one service that reach another. `rate` in requests/s; None: no data, never 0.

    `error_share`: 0 to 1. `is_plaintext` None: not known. `weight_bp`: what a route gives the callee, where one does
    and all of its rules say the same; `by_route`: a route names it.
    """

    caller: ServiceKey
    callee: ServiceKey
    rate: float | None = None
    error_share: float | None = None
    is_plaintext: bool | None = None
    weight_bp: int | None = None
    by_route: bool = False


CallsOf = Callable[[Sight, Collection[str]], Collection[Call]]
"""All calls from or to services of these clusters (slugs). What the reader may not see is left out by the caller."""
CrossingsOf = Callable[[Sight], Collection[Call]]
"""Calls from one cluster into another, over all that the reader sees."""


def known_calls(sight: Sight, clusters: Collection[str]) -> list[Call]:
    """From the routes of these clusters; rates are not known. One query."""
    rows = RouteBackend.objects.filter(route__in=sight.routes().filter(cluster__slug__in=clusters)).order_by()
    found = rows.values_list(
        "route__cluster__slug", "route__root_namespace", "route__root_service", "route_id", "rule", "key", "weight_bp"
    )
    shares: dict[tuple[ServiceKey, ServiceKey], dict[object, int]] = defaultdict(lambda: defaultdict(int))
    for slug, namespace, root, route, rule, key, weight in found:
        callee = _backend(slug, key)
        if root and callee is not None:
            shares[ServiceKey(slug, namespace, root), callee][route, rule] += weight
    return [_call(*ends, set(by_rule.values())) for ends, by_rule in sorted(shares.items())]


def all_calls(sight: Sight, clusters: Collection[str]) -> list[Call]:
    """What routes say, with what was measured of it, and measured calls that no route names. Five queries."""
    known = {(call.caller, call.callee): call for call in known_calls(sight, clusters)}
    for call in measured_calls(sight, clusters):
        ends = call.caller, call.callee
        known[ends] = replace(known.get(ends, call), rate=call.rate, error_share=call.error_share)
    return [known[ends] for ends in sorted(known)]


def measured_calls(sight: Sight, clusters: Collection[str]) -> list[Call]:
    """Requests of now, from the service of each workload that sent some to the service it named. Four queries.

    Both services have to be within sight, whoever sees their cluster. A workload behind several Services counts for the
    one with the shortest selector; behind none it has no place here.
    """
    there = list(Cluster.objects.filter(slug__in=clusters))
    edges = [(slug, reading) for slug, reading in list_edges(there) if reading.golden is not None]
    if not edges:
        return []
    behind = _services_of(sight, {slug for slug, _ in edges})
    allowed = set(sight.services().filter(cluster__in=there).values_list("cluster__slug", "namespace", "name"))
    found: list[Call] = []
    for slug, reading in edges:
        namespace, _, workload = reading.name.part.partition("/")
        caller = ServiceKey(slug, namespace, behind.get((slug, namespace, workload), workload))
        callee = ServiceKey(slug, reading.name.namespace, reading.name.service)
        if reading.golden is not None and all((k.cluster, k.namespace, k.name) in allowed for k in (caller, callee)):
            success = reading.golden.success
            found.append(Call(caller, callee, reading.golden.rate, None if success is None else 1 - success))
    return gathered(found, lambda key: key)


def gathered(calls: Iterable[Call], by: Callable[[ServiceKey], ServiceKey]) -> list[Call]:
    """Calls between groups: rates add up, unless none is known; errors by their share of the requests."""
    found: dict[tuple[ServiceKey, ServiceKey], list[Call]] = defaultdict(list)
    for call in calls:
        found[by(call.caller), by(call.callee)].append(call)
    return [_sum(*ends, group) for ends, group in sorted(found.items())]


def _sum(caller: ServiceKey, callee: ServiceKey, group: list[Call]) -> Call:
    known = [call for call in group if call.rate is not None]
    rate = sum(call.rate or 0 for call in known) if known else None
    told = [call for call in known if call.error_share is not None and call.rate]
    weight = sum(call.rate or 0 for call in told)
    errors = sum((call.error_share or 0) * (call.rate or 0) for call in told) / weight if weight else None
    locks = {call.is_plaintext for call in group}
    is_plaintext = True if True in locks else None if None in locks else False
    return Call(caller, callee, rate, errors, is_plaintext)


def _services_of(sight: Sight, clusters: Collection[str]) -> dict[tuple[str, str, str], str]:
    """(cluster, namespace, workload) → the one Service in front of it. Two queries."""
    fronts: dict[tuple[str, str], list[tuple[str, dict[str, str]]]] = defaultdict(list)
    services = sight.services().filter(cluster__slug__in=clusters)
    for slug, namespace, name, selector in services.values_list("cluster__slug", "namespace", "name", "selector"):
        if selector:
            fronts[slug, namespace].append((name, selector))
    workloads = Workload.objects.filter(cluster__slug__in=clusters, gone_at=None)
    found: dict[tuple[str, str, str], str] = {}
    for slug, namespace, name, labels in workloads.values_list("cluster__slug", "namespace", "name", "labels"):
        matching = [(len(sel), front) for front, sel in fronts[slug, namespace] if sel.items() <= labels.items()]
        if matching:
            found[slug, namespace, name] = min(matching)[1]
    return found


def no_crossings(sight: Sight) -> list[Call]:
    """A route stays in its cluster: what crosses into another is measured, or not known. No query."""
    return []


def _call(caller: ServiceKey, callee: ServiceKey, shares: set[int]) -> Call:
    weight = shares.pop() if len(shares) == 1 else None
    return Call(caller, callee, weight_bp=weight, by_route=True)


def _backend(cluster: str, key: str) -> ServiceKey | None:
    """The service of `shop/checkout:9080#v2`; None for what is no backend's key."""
    namespace, slash, rest = key.partition("/")
    name = rest.partition("#")[0].partition(":")[0]
    return ServiceKey(cluster, namespace, name) if slash and name else None
