"""Graphs one level up: a node for each cluster, or for each mesh."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts.types import READ
from meshes.selectors import mesh_rows, sync_words
from meshes.types import Grain
from meshui.ui import wording
from meshui.ui.graphs import Box, Graph, Node
from meshui.ui.statuses import status_of
from metrics.models import Series
from metrics.selectors import cluster_sums
from metrics.types import Golden, Name, Reading
from traffic.calls import NOW, ServiceKey, gathered, no_crossings
from traffic.health import Finding, Health, error_finding
from traffic.topology.nodes import call_edge, dressed_in
from traffic.topology.types import MOST_LISTED, Drawing, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.utils.functional import _StrPromise

    from clusters.models import Cluster
    from meshes.selectors.meshes import MeshRow
    from meshui.ui.graphs import Tone
    from metrics.types import FleetSignals, Span
    from traffic.calls import CrossingsOf
    from traffic.sight import Sight
    from traffic.topology.types import Links

MESH_LOOKS: Final[Mapping[str, tuple[Tone, str, _StrPromise]]] = {
    "ready": ("ok", "circle-check", gettext_lazy("Ready")),
    "not_ready": ("crit", "circle-x", gettext_lazy("Not ready")),
    "headless": ("crit", "circle-x", gettext_lazy("No control plane")),
}
TONES: Final[Mapping[str, Tone]] = {"ok": "ok", "warn": "warn", "crit": "crit"}
NOBODY: Final = Name("", "", Grain.SERVICE)


def of_clusters(sight: Sight, span: Span = NOW, *, crossings_of: CrossingsOf = no_crossings) -> Topology:
    """A node for each cluster, a box for each environment. Six queries."""
    rows = tuple(sight.clusters().order_by("slug")[:MOST_LISTED])
    services = dict(sight.services().order_by().values_list("cluster_id").annotate(n=Count("pk")))
    meshes = dict(sight.meshes().order_by().values_list("cluster_id").annotate(n=Count("pk")))
    sums, drifts = _sums(sight, span), _drifts(sight, span)
    health = {row.slug: _cluster_health(row, sums.get(row.pk), drifts.get(row.pk, 0)) for row in rows}
    nodes = [_cluster_node(row, health[row.slug], services.get(row.pk, 0), meshes.get(row.pk, 0)) for row in rows]
    between = [call for call in gathered(crossings_of(sight), _place) if call.caller != call.callee]
    edges = [replace(call_edge(call), tail=call.caller.cluster, head=call.callee.cluster) for call in between]
    boxes = tuple(Box(name, name) for name in sorted({row.environment for row in rows}))
    inside = tuple(edge for edge in edges if health.keys() >= {edge.tail, edge.head})
    links = {row.slug: _cluster_links(row.slug) for row in rows}
    return Topology(Drawing(Graph(tuple(nodes), inside, boxes), health, links), sync_words(rows))


def of_meshes(sight: Sight, span: Span = NOW) -> Topology:
    """A node for each mesh, a box for each cluster. Calls between meshes are those of clusters. Five queries.

    Requests are known by cluster: they are those of a mesh only where no other is there.
    """
    rows = list(sight.meshes().select_related("cluster").order_by("cluster__slug", "kind")[:MOST_LISTED])
    clusters = tuple({row.cluster_id: row.cluster for row in rows}.values())
    alone = {pk for pk in (row.cluster_id for row in rows) if sum(row.cluster_id == pk for row in rows) == 1}
    sums = {pk: found for pk, found in _sums(sight, span).items() if pk in alone}
    lines = mesh_rows(rows)
    health = {str(line.mesh.pk): _mesh_health(line, sums.get(line.mesh.cluster_id)) for line in lines}
    nodes = tuple(_mesh_node(line, health[str(line.mesh.pk)]) for line in lines)
    boxes = tuple(Box(cluster.slug, cluster.slug) for cluster in clusters)
    links = {str(line.mesh.pk): _mesh_links(line) for line in lines}
    return Topology(Drawing(Graph(nodes, (), boxes), health, links), sync_words(clusters))


def _sums(sight: Sight, span: Span) -> dict[UUID, FleetSignals]:
    """Of the services that the reader sees, by cluster. One query."""
    return cluster_sums(sight.held.narrow(Series.objects.filter(cluster__in=sight.clusters()), READ), span)


def _drifts(sight: Sight, span: Span) -> dict[UUID, int]:
    """How many routes drifted, by cluster; known of now alone. One query."""
    if span.at is not None:
        return {}
    rows = sight.managed().exclude(drift="").order_by()
    return dict(rows.values_list("cluster_id").annotate(n=Count("pk")))


def _place(key: ServiceKey) -> ServiceKey:
    return ServiceKey(key.cluster, "", "")


def _reading(sums: FleetSignals | None) -> Reading | None:
    if sums is None or sums.rate is None:
        return None
    return Reading(NOBODY, Golden(sums.rate, sums.success, p99_ms=sums.worst_p99_ms), "live", sums.oldest_at)


def _health(reading: Reading | None, first: Finding, *more: Finding) -> Health:
    known = Health(reading)
    errors = error_finding(known.errors, known.rate)
    return Health(reading, (first, *([errors] if errors else []), *more))


def _cluster_health(row: Cluster, sums: FleetSignals | None, drifted: int) -> Health:
    look = status_of(row.health, "health")
    words = ngettext("%(n)s route is not as MeshUI left it", "%(n)s routes are not as MeshUI left them", drifted)
    url = reverse("traffic:cluster-drift", args=[row.slug])
    drift = (Finding("warn", words % {"n": wording.number(drifted)}, url),) if drifted else ()
    connection = Finding(TONES.get(look.tone, ""), gettext("Connection: %(word)s") % {"word": look.word})
    return _health(_reading(sums), connection, *drift)


def _cluster_node(row: Cluster, health: Health, services: int, meshes: int) -> Node:
    words = [
        ngettext("%(n)s service", "%(n)s services", services) % {"n": wording.number(services)},
        ngettext("%(n)s mesh", "%(n)s meshes", meshes) % {"n": wording.number(meshes)},
    ]
    node = dressed_in(Node(row.slug, row.slug, " · ".join(words), box=row.environment, place=row.environment), health)
    more = (gettext("Services"), wording.number(services)), (gettext("Meshes"), wording.number(meshes))
    return _named(replace(node, facts=(*node.facts, *more)), status_of(row.health, "health").tone, row.health)


def _named(node: Node, tone: str, health: str) -> Node:
    """With the word of its connection, unless its requests are worse than that."""
    look = status_of(health, "health")
    return replace(node, word=str(look.word), icon=look.icon) if TONES.get(tone, "") == node.tone else node


def _cluster_links(slug: str) -> Links:
    return (
        (gettext("Open"), reverse("clusters:cluster-detail", args=[slug])),
        (gettext("What was read of it"), reverse("meshes:cluster-inventory", args=[slug])),
    )


def _mesh_health(row: MeshRow, sums: FleetSignals | None) -> Health:
    tone, _, word = MESH_LOOKS.get(row.status, ("", "", gettext_lazy("Not known")))
    return _health(_reading(sums), Finding(tone, gettext("Control plane: %(word)s") % {"word": word}))


def _mesh_node(row: MeshRow, health: Health) -> Node:
    note = " · ".join([*row.versions, row.mesh.trust_domain] if row.mesh.trust_domain else row.versions)
    slug = row.mesh.cluster.slug
    node = dressed_in(Node(str(row.mesh.pk), row.label, note, box=slug, place=slug), health)
    node = replace(node, facts=(*node.facts, (gettext("Versions"), ", ".join(row.versions) or "\u2013")))
    tone, icon, word = MESH_LOOKS.get(row.status, ("", "", gettext_lazy("Not known")))
    return replace(node, word=str(word), icon=icon) if tone == node.tone else node


def _mesh_links(row: MeshRow) -> Links:
    slug = row.mesh.cluster.slug
    return (
        (gettext("Open"), reverse("meshes:mesh-detail", args=[row.mesh.pk])),
        (gettext("Its cluster"), reverse("clusters:cluster-detail", args=[slug])),
    )
