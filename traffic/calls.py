"""Who calls whom, as far as it is known: routes say where requests are sent on to, measurements who sent them.

A proxy names the workload that called; the service that stands before it is looked up in the inventory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from clusters.models import Cluster
from meshes.adapters.mtls import DISABLED, STRICT
from meshes.models import RouteBackend, Workload
from meshes.types import Grain
from metrics.selectors import list_in_span
from metrics.types import Span
from traffic.sight import Sight

EVERYWHERE: Final = "all"
NOW: Final = Span()


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
class Sent:
    """What one workload of the caller sent: requests/s, the share of them that failed.

    `labels`: of its pods. `fronts`: the Services of its namespace that stand before it, by name.
    """

    workload: str
    rate: float
    error_share: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    fronts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """Requests of one service that reach another. `rate` in requests/s; None: no data, never 0.

    `error_share`: 0 to 1. `is_plaintext` None: not known. `weight_bp`: what a route gives the callee, where one does
    and all of its rules say the same; `by_route`: a route names it. `sent`: by the workloads that it was measured of.
    """

    caller: ServiceKey
    callee: ServiceKey
    rate: float | None = None
    error_share: float | None = None
    is_plaintext: bool | None = None
    weight_bp: int | None = None
    by_route: bool = False
    sent: tuple[Sent, ...] = ()


CallsOf = Callable[[Sight, Collection[str], Span], Collection[Call]]
"""All calls from or to services of these clusters (slugs), as they were measured in a span of time.

What the reader may not see is left out by the caller.
"""
CrossingsOf = Callable[[Sight], Collection[Call]]
"""Calls from one cluster into another, over all that the reader sees."""


def known_calls(sight: Sight, clusters: Collection[str], span: Span = NOW) -> list[Call]:
    """From the routes of these clusters as they are now, whatever the span; rates are not known. One query."""
    rows = RouteBackend.objects.filter(route__in=sight.routes().filter(cluster__slug__in=clusters)).order_by()
    found = rows.values_list(
        "route__cluster__slug", "route__root_namespace", "route__root_service", "route_id", "rule", "key", "weight_bp"
    )
    shares: dict[tuple[ServiceKey, ServiceKey], dict[object, int]] = defaultdict(lambda: defaultdict(int))
    for slug, namespace, root, route, rule, key, weight in found:
        callee = service_of(slug, key)
        if root and callee is not None:
            shares[ServiceKey(slug, namespace, root), callee][route, rule] += weight
    return [_call(*ends, set(by_rule.values())) for ends, by_rule in sorted(shares.items())]


def all_calls(sight: Sight, clusters: Collection[str], span: Span = NOW) -> list[Call]:
    """What routes say now, with what was measured of it in `span`, and measured calls that none names. Five queries.

    Whether they go in plaintext is what policies say of those that are called, where they leave one answer; they are
    known as they are now, so that nothing is said of a moment before. Four queries then.
    """
    known = {(call.caller, call.callee): call for call in known_calls(sight, clusters)}
    for call in measured_calls(sight, clusters, span):
        ends = call.caller, call.callee
        known[ends] = replace(known.get(ends, call), rate=call.rate, error_share=call.error_share, sent=call.sent)
    plain = _plaintext(sight, clusters) if known and span.at is None else {}
    calls = (known[ends] for ends in sorted(known))
    return [replace(call, is_plaintext=plain.get((call.callee.cluster, call.callee.namespace))) for call in calls]


def _plaintext(sight: Sight, clusters: Collection[str]) -> dict[tuple[str, str], bool | None]:
    """(cluster, namespace) → whether its pods take plaintext alone, or mutual TLS alone; others may get either."""
    found: dict[tuple[str, str], bool | None] = {}
    rows = sight.modes().filter(cluster__slug__in=clusters).order_by()
    for slug, namespace, mode in rows.values_list("cluster__slug", "namespace", "mode"):
        said = {STRICT: False, DISABLED: True}.get(mode)
        found[slug, namespace] = said if found.get((slug, namespace), said) == said else None
    return found


def measured_calls(sight: Sight, clusters: Collection[str], span: Span = NOW) -> list[Call]:
    """Requests of a span, from the service of each workload that sent some to the service it named. Three queries.

    Both services have to be within sight, whoever sees their cluster. A workload behind several Services counts for the
    one with the shortest selector; behind none it has no place here.
    """
    there = Cluster.objects.filter(slug__in=clusters)
    edges = [(slug, each) for slug, each in list_in_span(there, span, [Grain.EDGE]) if each.golden is not None]
    if not edges:
        return []
    fronts = _Fronts(sight, {slug for slug, _ in edges})
    found: list[Call] = []
    for slug, reading in edges:
        namespace, _, workload = reading.name.part.partition("/")
        sent = fronts.sent_by(slug, namespace, workload)
        caller = ServiceKey(slug, namespace, fronts.nearest(slug, namespace, workload) or workload)
        callee = ServiceKey(slug, reading.name.namespace, reading.name.service)
        if reading.golden is not None and fronts.allowed.issuperset({caller, callee}):
            success = reading.golden.success
            errors = None if success is None else 1 - success
            told = replace(sent, rate=reading.golden.rate, error_share=errors)
            found.append(Call(caller, callee, told.rate, errors, sent=(told,)))
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
    return Call(caller, callee, rate, errors, is_plaintext, sent=tuple(each for call in group for each in call.sent))


class _Fronts:
    """Which Services stand before a workload, of those that the reader sees. Two queries, when made."""

    def __init__(self, sight: Sight, clusters: Collection[str]) -> None:
        self.allowed: set[ServiceKey] = set()
        self._labels: dict[tuple[str, str, str], Mapping[str, str]] = {}
        self._before: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
        selectors: dict[tuple[str, str], list[tuple[str, dict[str, str]]]] = defaultdict(list)
        for (slug, namespace, name), selector in sight.selectors(clusters).items():
            self.allowed.add(ServiceKey(slug, namespace, name))
            if selector:
                selectors[slug, namespace].append((name, selector))
        workloads = Workload.objects.filter(cluster__slug__in=clusters, gone_at=None).order_by()
        for slug, namespace, name, labels in workloads.values_list("cluster__slug", "namespace", "name", "labels"):
            behind = [(len(sel), each) for each, sel in selectors[slug, namespace] if sel.items() <= labels.items()]
            self._labels[slug, namespace, name], self._before[slug, namespace, name] = labels, behind

    def nearest(self, cluster: str, namespace: str, workload: str) -> str:
        """The one with the shortest selector; empty: there is none."""
        return min(self._before.get((cluster, namespace, workload), []), default=(0, ""))[1]

    def sent_by(self, cluster: str, namespace: str, workload: str) -> Sent:
        """What is known of the workload, without its requests."""
        key = cluster, namespace, workload
        fronts = frozenset(name for _, name in self._before.get(key, []))
        return Sent(workload, 0.0, labels=self._labels.get(key, {}), fronts=fronts)


def no_crossings(sight: Sight) -> list[Call]:
    """A route stays in its cluster: what crosses into another is measured, or not known. No query."""
    return []


def _call(caller: ServiceKey, callee: ServiceKey, shares: set[int]) -> Call:
    weight = shares.pop() if len(shares) == 1 else None
    return Call(caller, callee, weight_bp=weight, by_route=True)


def service_of(cluster: str, key: str) -> ServiceKey | None:
    """The service of `shop/checkout:9080#v2`; None for what is no backend's key."""
    namespace, slash, rest = key.partition("/")
    name = rest.partition("#")[0].partition(":")[0]
    return ServiceKey(cluster, namespace, name) if slash and name else None
