"""Services and routes between them, as rows: for tests of who calls whom."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from meshes.models import Route as StoredRoute
from meshes.models import RouteBackend, Service
from meshes.services.store import backends_of
from meshes.types import Backend, Root, Route, Rule, WeightedBackend
from meshui.lib.clock import now
from traffic.calls import Call, ServiceKey

if TYPE_CHECKING:
    from collections.abc import Collection

    from clusters.models import Cluster
    from metrics.types import Span
    from traffic.calls import CallsOf
    from traffic.sight import Sight


def make_services(cluster: Cluster, *names: str, namespace: str = "shop") -> None:
    """Services of these names, that are there."""
    Service.objects.bulk_create(
        Service(
            cluster=cluster,
            namespace=namespace,
            name=name,
            uid=f"{cluster.slug}/{namespace}/{name}",
            content_hash="",
            read_at=now(),
        )
        for name in names
    )


def make_calls(cluster: Cluster, root: str, *rules: dict[str, int], namespace: str = "shop") -> StoredRoute:
    """A route of `root`: each rule names services, `shop/cart`, and their shares in basis points."""
    neutral = Route(
        Root(root, namespace),
        tuple(
            Rule(f"rule-{n}", backends=tuple(_backend(name, share) for name, share in rule.items()))
            for n, rule in enumerate(rules)
        ),
    )
    row = StoredRoute.objects.create(
        cluster=cluster,
        mesh_kind="istio",
        group="networking.istio.io",
        version="v1",
        plural="virtualservices",
        kind="VirtualService",
        namespace=namespace,
        name=root,
        uid=f"{cluster.slug}/{namespace}/{root}",
        root_service=root,
        root_namespace=namespace,
        neutral=neutral.to_json(),
        body={},
        resource_version="1",
        content_hash="",
        read_at=now(),
        is_split=len(rules[0]) > 1,
    )
    for backend in backends_of({"id": row.pk, "neutral": msgspec.json.encode(row.neutral)}):
        RouteBackend.objects.create(**backend | {"route": row})
    return row


def _backend(text: str, share: int) -> WeightedBackend:
    place, _, subset = text.partition("#")
    namespace, _, name = place.rpartition("/")
    kind = "subset" if subset else "service"
    return WeightedBackend(Backend(kind, name, namespace or "shop", 8080, subset), share)  # type: ignore[arg-type]  # one of both


def key(text: str) -> ServiceKey:
    """`eu-west/shop/cart`."""
    return ServiceKey(*text.split("/"))


def chain(*names: str) -> CallsOf:
    """Calls from each of these services to the next, measured."""
    calls = [Call(key(a), key(b), rate=100.0, error_share=0.001) for a, b in pairwise(names)]
    return measured(*calls)


def measured(*calls: Call) -> CallsOf:
    """Calls that something measured; as those that concern the clusters that are asked for."""

    def find(sight: Sight, clusters: Collection[str], span: Span) -> list[Call]:
        return [call for call in calls if {call.caller.cluster, call.callee.cluster} & set(clusters)]

    return find
