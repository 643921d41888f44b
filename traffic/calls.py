"""Who calls whom, as far as it is known. Today from routes alone: what a service's requests are sent on to.

What is measured (requests/s, errors, encryption) comes from whoever hands another `CallsOf` to traffic.topology.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from meshes.models import RouteBackend
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
