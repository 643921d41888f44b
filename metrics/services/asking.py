"""Whom to ask for the metrics of a cluster: as it was set, else a Prometheus found there, else the proxies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q

from clusters.clients import ClusterError
from clusters.connect import proxied_for
from clusters.types import PROMETHEUS
from meshes.adapters.registry import all_adapters
from meshes.models import Mesh, Service
from meshes.types import Grain
from meshui.lib.errors import RefusedError, UnavailableError
from metrics.models import Source, SourceKind
from metrics.providers import reach
from metrics.providers.prometheus import PrometheusProvider
from metrics.providers.proxies import ProxiesProvider
from metrics.types import SHORT, Measurement, Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.models import Cluster
    from meshes.adapters.base import MeshAdapter
    from metrics.providers.base import Provider
    from metrics.providers.prometheus import Ask
    from metrics.types import Golden, Place


@dataclass(frozen=True, slots=True)
class Asked:
    """What a round brought. `failed`: why a Prometheus in the cluster could not be asked, so that the proxies were.

    `empty`: those that know nothing of these services; which says little of a Prometheus while few are asked for.
    `is_known`: one of them knows some.
    """

    measured: Measurement
    failed: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    is_known: bool = False


def ask(cluster: Cluster, places: Sequence[Place], *, step: int, tries_found: bool = True) -> Asked:
    """Measure `places` of `cluster`. `tries_found`: whether to ask a Prometheus in the cluster that nobody named.

    Raises ClusterError, RefusedError: nothing could be read. Three queries or so.
    """
    source = Source.objects.filter(pk=cluster.pk).select_related("cluster").first()
    adapters = _adapters(cluster)
    kind = source.kind if source else SourceKind.AUTO
    if kind == SourceKind.NONE:
        raise UnavailableError("Metrics are switched off for this cluster.", mend="Set the source of its metrics.")
    if not adapters:
        raise UnavailableError("No mesh is known in this cluster, so nothing counts requests.")
    if source is not None and kind in {SourceKind.URL, SourceKind.SERVICE}:
        return Asked(_named(source, adapters).measure(places, step=step))
    tried = _ask_found(cluster, adapters, places, step) if kind == SourceKind.AUTO and tries_found else None
    if tried is not None and tried.measured.found:
        return Asked(_with_proxies(cluster, adapters, places, step, tried.measured), is_known=True)
    measured = _proxies(cluster, adapters).measure(places, step=step)
    if tried is None:
        return Asked(measured)
    return replace(tried, measured=replace(measured, problems=(*tried.failed, *measured.problems)))


def _adapters(cluster: Cluster) -> list[MeshAdapter]:
    kinds = set(Mesh.objects.filter(cluster=cluster, gone_at=None).values_list("kind", flat=True))
    return [adapter for adapter in all_adapters() if adapter.kind in kinds]


def _ask_found(cluster: Cluster, adapters: Sequence[MeshAdapter], places: Sequence[Place], step: int) -> Asked:
    """What those that stand in the cluster say, together; nothing found: `failed` and `empty` say of each why."""
    found: dict[Name, Golden] = {}
    problems: list[str] = []
    failed, empty, names = [], [], []
    for namespace, service, port in candidates(cluster):
        where = f"{namespace}/{service}:{port}"
        try:
            ask_it = reach.in_cluster(cluster, namespace, service, port)
            measured = _prometheus(ask_it, f"Prometheus {where}", adapters).measure(places, step=step)
        except (ClusterError, RefusedError) as error:
            failed.append(f"Prometheus {where}: {error}")
            continue
        problems += measured.problems
        if measured.found:
            names.append(where)
            found = {**measured.found, **found}
        else:
            empty.append(f"Prometheus {where} has no requests of these services.")
    told = Measurement(found, f"Prometheus {', '.join(names)}", problems=(*failed, *problems))
    return Asked(told, tuple(failed), tuple(empty))


def _with_proxies(
    cluster: Cluster, adapters: Sequence[MeshAdapter], places: Sequence[Place], step: int, measured: Measurement
) -> Measurement:
    """`measured`, and what the proxies say of services that somebody looks at and that nobody else knows.

    That they may not be asked is no problem here: whoever has no requests is unknown to a Prometheus, too.
    """
    unknown = [place for place in places if Name(place.namespace, place.service, Grain.SERVICE) not in measured.found]
    if step > SHORT or not unknown:
        return measured
    try:
        more = _proxies(cluster, adapters).measure(unknown, step=step)
    except (ClusterError, RefusedError):
        return measured
    if not more.found:
        return measured
    source = f"{measured.source}, {more.source}"
    return replace(measured, found={**more.found, **measured.found}, source=source, shares=more.shares)


def candidates(cluster: Cluster) -> list[tuple[str, str, int]]:
    """Those of PROMETHEUS that the inventory has, in that order. One query."""
    named = Q()
    for namespace, service, _ in PROMETHEUS:
        named |= Q(namespace=namespace, name=service)
    rows = Service.objects.filter(named, cluster=cluster, gone_at=None).values_list("namespace", "name")
    there = set(rows)
    return [one for one in PROMETHEUS if one[:2] in there]


def _named(source: Source, adapters: Sequence[MeshAdapter]) -> Provider:
    if source.kind == SourceKind.URL:
        return _prometheus(reach.by_address(source), f"Prometheus {source.url}", adapters, source)
    asked = reach.in_cluster(source.cluster, source.namespace, source.service, source.port)
    return _prometheus(asked, f"Prometheus {source.namespace}/{source.service}:{source.port}", adapters, source)


def _prometheus(
    asked: Ask, words: str, adapters: Sequence[MeshAdapter], source: Source | None = None
) -> PrometheusProvider:
    fixed = dict(source.labels) if source else {}
    return PrometheusProvider(asked, words, [a.signals for a in adapters], settings.METRICS_WINDOW_SECONDS, fixed)


def _proxies(cluster: Cluster, adapters: Sequence[MeshAdapter]) -> ProxiesProvider:
    return ProxiesProvider(cluster, proxied_for(cluster), adapters, settings.METRICS_WINDOW_SECONDS)
