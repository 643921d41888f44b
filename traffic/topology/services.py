"""Graphs with a node for each service, or for each namespace."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from meshui.ui.graphs import Graph, Node
from meshui.ui.statuses import status_of
from traffic.calls import gathered
from traffic.health import LOOKS, WORSE, worst_of
from traffic.topology.nodes import call_edge, cluster_boxes, health_of_all, service_links, service_node
from traffic.topology.types import Drawing

if TYPE_CHECKING:
    from traffic.calls import ServiceKey
    from traffic.health import Health
    from traffic.topology.nodes import Ground


def by_service(ground: Ground) -> Drawing:
    """A node for each service, a box for each cluster."""
    health = health_of_all(ground)
    nodes = [service_node(key, found, box=key.cluster, is_focus=key in ground.starts) for key, found in health.items()]
    calls = ground.calls
    edges = [call_edge(call) for call in calls]
    return Drawing(
        Graph(tuple(nodes), tuple(edges), cluster_boxes(health)),
        {key.text: found for key, found in health.items()},
        {key.text: service_links(key, ground.asked.kept) for key in health},
        {edge.key: call.sent for edge, call in zip(edges, calls, strict=True)},
    )


def by_namespace(ground: Ground) -> Drawing:
    """A node for each namespace of a cluster, as unwell as the worst of its services."""
    spaces: dict[ServiceKey, list[Health]] = defaultdict(list)
    for key, found in health_of_all(ground).items():
        spaces[_space(key)].append(found)
    starts = {_space(start) for start in ground.starts}
    nodes = [_space_node(key, found, is_focus=key in starts) for key, found in sorted(spaces.items())]
    between = [call for call in gathered(ground.calls, _space) if call.caller != call.callee]
    edges = [call_edge(call) for call in between]
    links = {key.text: ((gettext("Its services"), _list_url(key)),) for key in spaces}
    return Drawing(Graph(tuple(nodes), tuple(edges), cluster_boxes(spaces)), {}, links)


def _space(key: ServiceKey) -> ServiceKey:
    return replace(key, name="")


def _space_node(key: ServiceKey, found: list[Health], *, is_focus: bool) -> Node:
    tone = worst_of(found)
    look = status_of(LOOKS[tone], "health")
    count = len(found)
    bad = [each for each in found if WORSE.index(each.tone) > 1]
    return Node(
        key=key.text,
        label=key.namespace,
        note=ngettext("%(n)d service", "%(n)d services", count) % {"n": count},
        box=key.cluster,
        place=key.cluster,
        tone=tone,
        word=str(look.word),
        icon=look.icon,
        why=(_bad_words(len(bad)),) if bad else (),
        facts=((gettext("Services"), str(count)),),
        is_focus=is_focus,
    )


def _bad_words(count: int) -> str:
    return ngettext("%(n)d of them is not healthy", "%(n)d of them are not healthy", count) % {"n": count}


def _list_url(key: ServiceKey) -> str:
    return f"{reverse('meshes:service-list')}?{urlencode({'namespace': key.namespace, 'cluster': key.cluster})}"
