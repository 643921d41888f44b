"""What connections the pods of each namespace take, judged anew where something moved that may decide it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from meshes.adapters.mtls import PodTemplate, Secured
from meshes.adapters.registry import all_adapters
from meshes.models import MtlsMode
from meshes.services import values
from meshes.services.injecting import injected
from meshes.services.kinds import NAMESPACES, WORKLOADS, workload_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from clusters.clients import Resource
    from meshes.adapters.base import Injection, MeshAdapter
    from meshes.services.fetching import Moved
    from meshes.services.keeping import Rows
    from meshes.services.stock import Held, Stock
    from meshui.lib.jsontypes import JsonObject

MTLS = "mtls"
KEY = ("mesh_kind", "namespace")
Wanted = dict[tuple[str, str], values.Values]


def keep(rows: Rows, stock: Stock, moves: Mapping[Resource, Moved], *, is_all: bool) -> None:
    """Write what follows from what moved; `is_all`: the meshes did. Nothing before namespaces could be listed.

    Raises LostLeaseError.
    """
    if stock.served is None or stock.namespaces is None:
        return
    if is_all or any(_decides(stock, resource, moved) for resource, moved in moves.items()):
        rows.replace(MTLS, MtlsMode, _judged(stock, None), key=KEY)
        return
    places = _places_of_pods(stock, moves) & stock.asked_pods
    if places:
        rows.upsert_by(MTLS, MtlsMode, _judged(stock, places), key=KEY)


def _decides(stock: Stock, resource: Resource, moved: Moved) -> bool:
    """Whether it is a kind that may decide for every namespace (a policy, a namespace, a webhook), and moved."""
    is_policy = any(resource in adapter.policy_kinds(stock.served or frozenset()) for adapter in all_adapters())
    return (is_policy or not resource.namespaced) and bool(moved.altered or moved.gone or moved.is_fresh)


def _places_of_pods(stock: Stock, moves: Mapping[Resource, Moved]) -> set[str]:
    """Namespaces where pods of workloads may have changed; where some went, all that matter."""
    found: set[str] = set()
    for resource in WORKLOADS:
        moved = moves.get(resource)
        if moved is None:
            continue
        if moved.gone or moved.is_fresh:
            return set(stock.asked_pods)
        held = stock.kinds[resource].held
        found |= {held[uid].head.namespace for uid in moved.altered if uid in held}
    return found


def _judged(stock: Stock, places: Collection[str] | None) -> Wanted:
    """The rows of `places`, of all namespaces where it is None."""
    spaces = stock.kinds[NAMESPACES].held.values()
    taken: dict[str, dict[str, Injection]] = defaultdict(dict)
    bodies: dict[str, JsonObject] = {}
    for held in spaces:
        name = held.head.name
        if places is None or name in places:
            injection, kind = injected(stock, name)
            if injection is not None and kind:
                taken[kind][name] = injection
                bodies[name] = held.slim().body()
    pods = _Pods(stock)
    wanted: Wanted = {}
    for adapter in all_adapters():
        if adapter.kind in taken:
            seen = _secured(stock, adapter, taken[adapter.kind], bodies, pods)
            for name, found in adapter.mtls(seen).items():
                wanted[adapter.kind, name] = values.of_mtls(adapter.kind, name, found)
    stock.asked_pods = pods.asked if places is None else stock.asked_pods | pods.asked
    return wanted


def _secured(
    stock: Stock, adapter: MeshAdapter, spaces: Mapping[str, Injection], bodies: Mapping[str, JsonObject], pods: _Pods
) -> Secured:
    kinds = [k for k in adapter.policy_kinds(stock.served or frozenset()) if k not in stock.unserved]
    whole = [kind for kind in kinds if stock.is_listed(kind) and not stock.kinds[kind].faults]
    detected = (stock.detected or {}).get(adapter.kind)
    return Secured(
        spaces=spaces,
        bodies=bodies,
        seen=frozenset(held.head.name for held in stock.kinds[NAMESPACES].held.values()),
        planes=[plane for mesh in (detected.meshes if detected else ()) for plane in mesh.control_planes],
        pods=pods.of,
        policies={kind.plural: stock.kinds[kind].bodies() for kind in whole},
        unread=frozenset(kind.plural for kind in kinds if kind not in whole),
    )


class _Pods:
    """The pods of workloads, looked at namespace by namespace. `asked`: the namespaces that somebody asked for."""

    def __init__(self, stock: Stock) -> None:
        self.asked: set[str] = set()
        self._stock = stock
        self._by_place: dict[str, list[Held]] | None = None

    def of(self, namespace: str) -> Sequence[PodTemplate]:
        """By name of their workload."""
        if self._by_place is None:
            self._by_place = defaultdict(list)
            for kind in [self._stock.kinds[r] for r in WORKLOADS if self._stock.is_listed(r)]:
                for held in kind.held.values():
                    self._by_place[held.head.namespace].append(held)
        self.asked.add(namespace)
        found = [_template(held) for held in self._by_place.get(namespace, ())]
        return sorted(found, key=lambda each: each.workload)


def _template(held: Held) -> PodTemplate:
    spec = workload_of(held.slim()).spec
    meta = spec.template.metadata if spec and spec.template else None
    labels, annotations = (meta.labels, meta.annotations) if meta else (None, None)
    return PodTemplate(held.head.name, labels or {}, annotations or {})
