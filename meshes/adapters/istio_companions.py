"""What stands around VirtualServices: subsets, and rivals for one host. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import Problem
from meshes.adapters.istio_read import DELEGATE, is_service_host, split_host
from meshes.adapters.natives import namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshes.types import Backend, LiveRoute, Route, WeightedBackend
    from meshui.lib.jsontypes import JsonObject

MOST_RIVALS = 5


class Subsets:
    """The subsets of all DestinationRules of a cluster; the first of a name wins, as in Istio."""

    def __init__(self, rules: Sequence[JsonObject]) -> None:
        self._exact: dict[tuple[str, str, str], dict[str, str]] = {}
        self._wild: list[tuple[str, str, dict[str, str]]] = []
        for body in rules:
            spec = cast("dict[str, Any]", body["spec"])
            for subset in spec.get("subsets") or []:
                self._add(str(spec["host"]), namespace_of(body), str(subset["name"]), dict(subset.get("labels") or {}))

    def _add(self, host: str, namespace: str, name: str, labels: dict[str, str]) -> None:
        if host.startswith("*"):
            self._wild.append((host[1:], name, labels))
        else:
            self._exact.setdefault((*split_host(host, namespace), name), labels)

    def labels(self, backend: Backend) -> dict[str, str] | None:
        """The labels of a backend's subset; None where no DestinationRule defines it."""
        found = self._exact.get((backend.service, backend.namespace, backend.subset))
        if found is not None:
            return found
        host = backend.service
        if is_service_host(host):
            host = f"{backend.service}.{backend.namespace}.svc.cluster.local"
        wild = (labels for end, name, labels in self._wild if name == backend.subset and host.endswith(end))
        return next(wild, None)


def with_labels(route: Route, subsets: Subsets) -> Route:
    """`route` with the labels of its subsets beside them."""

    def labelled(weighted: WeightedBackend) -> WeightedBackend:
        labels = subsets.labels(weighted.backend) if weighted.backend.subset else None
        found = tuple(sorted((labels or {}).items()))
        if weighted.backend.labels == found:
            return weighted
        return replace(weighted, backend=replace(weighted.backend, labels=found))

    rules = []
    for rule in route.rules:
        backends = tuple(map(labelled, rule.backends))
        rules.append(rule if backends == rule.backends else replace(rule, backends=backends))
    return replace(route, rules=tuple(rules))


def missing_subsets(route: Route, subsets: Subsets) -> tuple[Problem, ...]:
    """Subsets that no DestinationRule defines: requests to them fail with 503 (mesh-reference §1g.1)."""
    wanted = dict.fromkeys(b.backend for rule in route.rules for b in rule.backends if b.backend.subset)
    return tuple(
        Problem("spec.http", f"No DestinationRule defines subset {b.subset} of {b.service}: its requests get 503.")
        for b in wanted
        if subsets.labels(b) is None
    )


def rival_hosts(routes: Sequence[LiveRoute]) -> dict[str, list[Problem]]:
    """uid → what to know of other VirtualServices of the same host (ruling 11): in the mesh they are not merged.

    Seen first where it is private, then by age, then by name. What Istio really took can only be believed here.
    """
    claims: dict[tuple[str, str], list[tuple[str, LiveRoute]]] = defaultdict(list)
    for live in sorted(routes, key=_precedence):
        if live.route.scope not in {"gateway", DELEGATE}:
            for key, host in {split_host(host, live.ref.namespace): host for host in live.route.root.hosts}.items():
                claims[key].append((host, live))
    found: dict[str, list[Problem]] = defaultdict(list)
    for rivals in claims.values():
        for place, (host, live) in enumerate(rivals):
            found[live.uid] += _told(host, live, [other for _, other in rivals], place)
    return found


def _precedence(live: LiveRoute) -> tuple[bool, str, str, str]:
    is_public = live.route.scope == "producer"
    return is_public, str(live.metadata.get("creationTimestamp") or ""), live.ref.name, live.ref.namespace


def _told(host: str, live: LiveRoute, rivals: list[LiveRoute], place: int) -> Iterator[Problem]:
    for number, other in enumerate(rivals[: MOST_RIVALS + 1]):
        shared = _shared(live, other)
        if other is live or not shared:
            continue
        if number > place:
            text = f"{other.ref} claims the host {host} too; this one is believed to win {shared}."
        else:
            text = (
                f"{other.ref} claims the host {host} too and is believed to win {shared}: there this one does nothing."
            )
        yield Problem("spec.hosts", text)


def _shared(one: LiveRoute, other: LiveRoute) -> str:
    """Where both are seen, in words; empty: nowhere."""
    first, second = _namespaces(one), _namespaces(other)
    if first is None and second is None:
        return "in all namespaces"
    shared = second if first is None else first if second is None else first & second
    return f"in {', '.join(sorted(shared))}" if shared else ""


def _namespaces(live: LiveRoute) -> frozenset[str] | None:
    """The namespaces whose clients see it; None: all."""
    scope = live.route.scope
    if scope == "producer":
        return None
    return frozenset(scope.removeprefix("consumer(").removesuffix(")").split(",")) - {"~", ""}
