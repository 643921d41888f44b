"""What bears on the reading of what among Istio's objects: hosts, delegates, subsets, namespaces. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.adapters import gateway_kinds, gateway_rivals, istio_delegates
from meshes.adapters.base import Ties, mark, namespace_mark
from meshes.adapters.gateway_rivals import host_mark
from meshes.adapters.istio_read import DELEGATE, outline_of, split_host
from meshes.adapters.natives import dicts, name_of, namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshui.lib.jsontypes import JsonObject

VIRTUAL_SERVICE = "VirtualService"
HANDED = "handed"
RULES = "rules"


def ties_of(body: JsonObject) -> Ties:
    """Of a VirtualService, a DestinationRule, a route of the Gateway API; a webhook says something of all."""
    if body.get("kind") == VIRTUAL_SERVICE:
        return _of_virtual_service(body)
    if body.get("kind") == "DestinationRule":
        return _of_rule(body)
    if gateway_kinds.is_route(body):
        return gateway_rivals.ties_of(body)
    return Ties(is_wide=True)


def _of_rule(body: JsonObject) -> Ties:
    """By its host; one of many hosts may be anybody's."""
    spec = body.get("spec")
    host = spec.get("host") if isinstance(spec, dict) else None
    if not isinstance(host, str):
        return Ties()
    return Ties(is_wide=True) if host.startswith("*") else Ties((mark(RULES, *split_host(host, namespace_of(body))),))


def _of_virtual_service(body: JsonObject) -> Ties:
    """By its name, the hosts that it claims in the mesh, and what it hands requests on to."""
    namespace, own = namespace_of(body), (namespace_of(body), name_of(body))
    name, outline = mark(VIRTUAL_SERVICE, *own), outline_of(body)
    if outline is None:
        return Ties((name,))
    targets = set(istio_delegates.targets_of(body).values())
    leans = [namespace_mark(outline.root.namespace), *(mark(VIRTUAL_SERVICE, *target) for target in targets)]
    leans += {mark(RULES, *split_host(host, namespace)) for host in _subset_hosts(body)}
    hosts: set[int] = set()
    if outline.scope == DELEGATE:
        leans.append(mark(HANDED, *own))
    elif outline.scope != "gateway":
        hosts = {host_mark(*split_host(host, namespace)) for host in outline.root.hosts}
    return Ties((name, *hosts, *(mark(HANDED, *target) for target in targets)), (*leans, *hosts))


def _subset_hosts(body: JsonObject) -> Iterator[str]:
    """The hosts of which subsets are asked for."""
    spec = body.get("spec")
    for rule in dicts(spec.get("http") if isinstance(spec, dict) else None):
        for entry in dicts(rule.get("route")):
            to = entry.get("destination")
            if isinstance(to, dict) and to.get("subset"):
                yield str(to.get("host"))
