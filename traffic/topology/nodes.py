"""What graphs of services are made of: a node of a service, an edge of a call, a box of a cluster."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext

from meshes.types import Grain
from meshui.ui import charts, wording
from meshui.ui.graphs import Box, Edge, Node
from metrics.types import Golden, Name, Reading
from traffic.calls import service_of
from traffic.health import Health, error_finding, facts_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from traffic.calls import Call, ServiceKey
    from traffic.health import Known
    from traffic.topology.types import Asked, Links
    from traffic.topology.walk import Walk


@dataclass(frozen=True)
class Ground:
    """What a graph is drawn from: what was reached from where, and what is known of it."""

    walk: Walk
    starts: Collection[ServiceKey]
    known: Known
    asked: Asked

    @cached_property
    def calls(self) -> list[Call]:
        """Between what was reached; to a Service that is a version of its caller, with what that version got."""
        got: dict[tuple[ServiceKey, ServiceKey | None], Health] = {
            (key, service_of(key.cluster, each.backend.key)): each.health
            for key, versions in self.known.versions.items()
            for each in versions
            if each.backend.kind == "service"
        }
        return [
            replace(call, rate=found.rate, error_share=found.errors)
            if call.rate is None and (found := got.get((call.caller, call.callee)))
            else call
            for call in self.walk.calls
        ]


def service_node(key: ServiceKey, health: Health, *, box: str, is_focus: bool) -> Node:
    """A service in one cluster."""
    return dressed_in(
        Node(
            key=key.text,
            label=key.name,
            note=f"{key.namespace} · {charts.rate_text(health.rate)}",
            box=box,
            place=f"{key.cluster} · {key.namespace}",
            is_focus=is_focus,
        ),
        health,
    )


def dressed_in(node: Node, health: Health) -> Node:
    """The node, with what is known of its health."""
    numbers = [change.number for change in health.changes]
    badge = "" if not numbers else f"#{numbers[0]}" if len(numbers) == 1 else f"#{numbers[0]} +{len(numbers) - 1}"
    why = tuple(finding.text for finding in health.findings if finding.tone != "ok")
    return replace(
        node, tone=health.tone, word=health.word, icon=health.icon, why=why, badge=badge, facts=facts_of(health)
    )


def call_edge(call: Call) -> Edge:
    """A call, between the nodes of both services."""
    ends = call.caller.text, call.callee.text
    return Edge(*ends, call.rate, call.error_share, call.is_plaintext, _how(call))


def _how(call: Call) -> str:
    if call.weight_bp is not None:
        return gettext("%(share)s by its route") % {"share": wording.percent(call.weight_bp)}
    return gettext("by its route, in shares that differ by rule") if call.by_route else gettext("measured")


def health_of_all(ground: Ground) -> dict[ServiceKey, Health]:
    """What is known of each service; of one that tells nothing itself, as those that call it measured it."""
    told: dict[ServiceKey, list[Call]] = defaultdict(list)
    for call in ground.calls:
        if call.rate is not None:
            told[call.callee].append(call)
    return {
        key: known if (known := ground.known.of(key)).reading or key not in told else _by_callers(key, known, told[key])
        for key in sorted(ground.walk.reached)
    }


def _by_callers(key: ServiceKey, known: Health, calls: Collection[Call]) -> Health:
    rate = sum(call.rate or 0.0 for call in calls)
    judged = [(call.rate or 0.0, call.error_share) for call in calls if call.error_share is not None and call.rate]
    weight = sum(each for each, _ in judged)
    errors = sum(each * share for each, share in judged) / weight if weight else None
    golden = Golden(rate, None if errors is None else 1 - errors)
    name = Name(key.namespace, key.name, Grain.SERVICE)
    finding = error_finding(errors, rate)
    return replace(
        known,
        reading=Reading(name, golden, "live", source=gettext("those that call it")),
        findings=(*([finding] if finding else []), *known.findings),
    )


def cluster_boxes(keys: Iterable[ServiceKey]) -> tuple[Box, ...]:
    """A box for each cluster."""
    return tuple(Box(slug, slug) for slug in sorted({key.cluster for key in keys}))


def service_links(key: ServiceKey, kept: Mapping[str, str]) -> Links:
    """The pages of a service: its own, and the graph around it."""
    return (
        (gettext("Open"), reverse("meshes:service-detail", args=[key.cluster, key.namespace, key.name])),
        (gettext("Put it in the middle"), focus_url(key, kept)),
    )


def focus_url(key: ServiceKey, kept: Mapping[str, str]) -> str:
    """The topology around a service, with the rest of the query as it is."""
    return f"{reverse('traffic:topology')}?{urlencode({'focus': key.text, **kept})}"
