"""Services to begin a graph with: by a whole name, by what somebody typed, or those that are split now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traffic.calls import EVERYWHERE, ServiceKey

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from meshes.models import Service
    from traffic.sight import Sight

MOST_MATCHES: Final = 20


def find_services(sight: Sight, scope: str, namespace: str, name: str) -> list[ServiceKey]:
    """The service in one cluster, or in `all` of them; empty: there is none that the reader sees. One query."""
    rows = sight.services().filter(namespace=namespace, name=name)
    if scope != EVERYWHERE:
        rows = rows.filter(cluster__slug=scope)
    return [
        ServiceKey(*row) for row in rows.order_by("cluster__slug").values_list("cluster__slug", "namespace", "name")
    ]


def match_services(sight: Sight, text: str) -> list[ServiceKey]:
    """Services by what somebody typed, `checkout` or `shop/check`: of that very name, else whose name holds it.

    At most 20 names, each in `all` clusters. One or two queries.
    """
    namespace, slash, name = text.strip().rpartition("/")
    rows = sight.services().filter(namespace=namespace) if slash else sight.services()
    return _names(rows.filter(name=name)) or _names(rows.filter(name__icontains=name))


def _names(rows: QuerySet[Service]) -> list[ServiceKey]:
    found = rows.order_by("name", "namespace").values_list("namespace", "name").distinct()
    return [ServiceKey(EVERYWHERE, *row) for row in found[:MOST_MATCHES]]


def split_services(sight: Sight) -> list[ServiceKey]:
    """Services that are split now, to begin with: at most 20. One query."""
    rows = sight.routes().filter(is_split=True).exclude(root_service="")
    found = rows.order_by("root_service", "root_namespace").values_list("root_namespace", "root_service").distinct()
    return [ServiceKey(EVERYWHERE, *row) for row in found[:MOST_MATCHES]]
