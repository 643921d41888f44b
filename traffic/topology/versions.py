"""Graphs with a node for each version of what is split, standing with its service in a box of its own.

A call is measured from a workload to a service, and what a service got is measured by backend: so lines run from the
version that called to the service, and from there to its versions. Which version called which is not known.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from meshui.ui import charts, wording
from meshui.ui.graphs import Box, Edge, Graph, Node
from traffic.calls import Call, ServiceKey, service_of
from traffic.topology.nodes import (
    call_edge,
    cluster_boxes,
    dressed_in,
    health_of_all,
    service_links,
    service_node,
)
from traffic.topology.types import Drawing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from traffic.calls import Sent
    from traffic.health import Health, Version
    from traffic.topology.nodes import Ground
    from traffic.topology.types import Links


@dataclass
class _Drawn:
    """What is drawn so far. `parts`: (service, a backend's key) → the node of that version."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    boxes: list[Box] = field(default_factory=list)
    health: dict[str, Health] = field(default_factory=dict)
    links: dict[str, Links] = field(default_factory=dict)
    parts: dict[tuple[ServiceKey, str], str] = field(default_factory=dict)
    sent: dict[str, tuple[Sent, ...]] = field(default_factory=dict)


def by_version(ground: Ground) -> Drawing:
    """Clusters hold services, services that are split hold their versions."""
    health = health_of_all(ground)
    drawn = _Drawn(boxes=list(cluster_boxes(health)))
    for key in health:
        _add_versions(drawn, ground, key)
    for key, found in health.items():
        box = _box_of(drawn, key)
        drawn.nodes.setdefault(key.text, service_node(key, found, box=box, is_focus=key in ground.starts))
        drawn.health.setdefault(key.text, found)
        drawn.links.setdefault(key.text, service_links(key, ground.asked.kept))
    for call in ground.calls:
        _add_call(drawn, ground, call)
    order = sorted(drawn.nodes)
    edges = [drawn.edges[ends] for ends in sorted(drawn.edges)]
    graph = Graph(tuple(drawn.nodes[key] for key in order), tuple(edges), tuple(drawn.boxes))
    return Drawing(graph, drawn.health, drawn.links, drawn.sent)


def _box_of(drawn: _Drawn, key: ServiceKey) -> str:
    return key.text if any(box.key == key.text for box in drawn.boxes) else key.cluster


def _add_versions(drawn: _Drawn, ground: Ground, key: ServiceKey) -> None:
    """A box, a node and an edge for each version of a service; none where one version gets all."""
    found = [(version, _place_of(key, version)) for version in ground.known.versions.get(key, ())]
    shown = [(each, place) for each, place in found if place == key or place in ground.walk.seen]
    if len(shown) < 2:
        return
    drawn.boxes.append(Box(key.text, key.name, within=key.cluster))
    for version, place in shown:
        is_own = place != key and version.backend.kind == "service"
        name = place.text if is_own else f"{key.text}#{version.backend.key}"
        if name == key.text or name in drawn.nodes:
            continue
        drawn.parts[key, version.backend.key] = name
        drawn.nodes[name] = _version_node(name, key, version)
        drawn.health[name] = version.health
        drawn.links[name] = service_links(place, ground.asked.kept)
        drawn.edges[key.text, name] = _share_edge(key, name, version)


def _place_of(key: ServiceKey, version: Version) -> ServiceKey:
    return service_of(key.cluster, version.backend.key) or key


def _version_node(name: str, key: ServiceKey, version: Version) -> Node:
    share = gettext("by a rule") if version.weight_bp is None else wording.percent(version.weight_bp)
    note = f"{share} · {charts.rate_text(version.health.rate)}"
    place = f"{key.cluster} · {key.namespace}/{key.name}"
    return dressed_in(Node(name, version.backend.name, note, box=key.text, place=place), version.health)


def _share_edge(key: ServiceKey, name: str, version: Version) -> Edge:
    words = gettext("by its route, in a rule for some requests")
    if version.weight_bp is not None:
        words = gettext("%(share)s by its route") % {"share": wording.percent(version.weight_bp)}
    return Edge(key.text, name, version.health.rate, version.health.errors, note=words)


def _add_call(drawn: _Drawn, ground: Ground, call: Call) -> None:
    """From each version that called; a share of a route is drawn already."""
    if (call.caller.text, call.callee.text) in drawn.edges:
        return
    if not call.sent:
        edge = call_edge(call)
        drawn.edges[edge.tail, edge.head] = edge
        return
    tails: dict[str, list[Sent]] = defaultdict(list)
    for sent in call.sent:
        tails[_tail(drawn, ground.known.versions, call.caller, sent)].append(sent)
    for tail, group in tails.items():
        edge = _measured(tail, call, group)
        drawn.edges[tail, edge.head] = edge
        drawn.sent[edge.key] = tuple(group)


def _measured(tail: str, call: Call, group: list[Sent]) -> Edge:
    judged = [each for each in group if each.error_share is not None and each.rate]
    weight = sum(each.rate for each in judged)
    errors = sum((each.error_share or 0.0) * each.rate for each in judged) / weight if weight else None
    rate = sum(each.rate for each in group)
    return Edge(tail, call.callee.text, rate, errors, call.is_plaintext, gettext("measured"))


def _tail(drawn: _Drawn, versions: Mapping[ServiceKey, tuple[Version, ...]], caller: ServiceKey, sent: Sent) -> str:
    """The node of the version that sent; of its service where that is not known."""
    names = (drawn.parts.get((caller, key)) for key in _matching(versions.get(caller, ()), sent))
    return next((name for name in names if name), caller.text)


def _matching(versions: tuple[Version, ...], sent: Sent) -> Iterator[str]:
    """Keys of the backends that the pods of a workload stand for."""
    for version in versions:
        backend, labels = version.backend, dict(version.backend.labels)
        is_front = backend.kind == "service" and backend.service in sent.fronts
        if is_front or (labels and labels.items() <= sent.labels.items()):
            yield backend.key
