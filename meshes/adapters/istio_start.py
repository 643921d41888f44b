"""The first and the last of a split on Istio: what is made, in which order, and what is deleted. Pure.

DestinationRules come before the VirtualService that names their subsets and go after it (mesh-reference §1g.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshes.adapters import istio_write
from meshes.adapters.base import MANAGED_BY
from meshes.adapters.edits import fresh_backends, refused
from meshes.adapters.istio_read import scope_of, split_host
from meshes.adapters.istio_subsets import destination_rules, rule_ref, subset_writes
from meshes.adapters.natives import dicts, is_ours, labels_of, name_of, namespace_of, titled, uid_of
from meshes.types import NativeWrite, Rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clusters.clients import ObjectRef
    from meshes.types import Around, LiveRoute, Loss, Route
    from meshui.lib.jsontypes import JsonObject

AMBIENT = "istio.io/dataplane-mode"


def start(desired: Route, ref: ObjectRef, around: Around) -> Rendered:
    """The DestinationRules that are missing, then the VirtualService."""
    losses = [*istio_write.losses(desired, None), *_start_losses(desired, around)]
    hosts = istio_write.Hosts(ref.namespace, *_virtual_services(around), *destination_rules(around))
    backends = fresh_backends(desired, None)
    writes, missing = subset_writes(backends, around, hosts, ref.resource.version)
    losses += missing
    if any(loss.moves_requests for loss in losses):
        return Rendered((), tuple(losses))
    root = desired.root
    own = istio_write.Hosts(ref.namespace)
    own.domain = hosts.domain
    body: dict[str, Any] = {
        "apiVersion": ref.resource.api_version,
        "kind": ref.resource.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": dict([MANAGED_BY])},
        "spec": {
            "hosts": [own.full(root.service, root.namespace)],
            "http": [istio_write.dialect(own).native_rule(rule) for rule in desired.rules],
        },
    }
    created = NativeWrite(ref, cast("JsonObject", body), op="create")
    return Rendered((*writes, created), tuple(losses))


def _start_losses(desired: Route, around: Around) -> Iterator[Loss]:
    if desired.scope != "producer":
        yield refused("scope", "A split that starts decides for every client of the service.")
    if desired.protocol == "tcp":
        yield refused("protocol", "Splits of TCP are not offered.")
    for body in around.rivals:
        if _decides_in(desired.root.namespace, body):
            yield refused("root", f"{titled(body)} decides for this service already. Change that one.")
    yield from ambient_losses(desired, around)


def _decides_in(namespace: str, body: JsonObject) -> bool:
    """Whether the clients in `namespace` see it; a VirtualService that others keep to themselves is none of ours."""
    if body.get("kind") != "VirtualService":
        return namespace_of(body) == namespace
    scope = scope_of(_spec(body), namespace_of(body))
    if not scope.startswith("consumer("):
        return scope == "producer"
    return namespace in scope.removeprefix("consumer(").removesuffix(")").split(",")


def ambient_losses(route: Route, around: Around) -> Iterator[Loss]:
    """Trap 11: without a waypoint nothing there reads routes, and with one a VirtualService is alpha."""
    for body in around.companions:
        is_root = body.get("kind") == "Namespace" and name_of(body) == route.root.namespace
        if is_root and labels_of(body).get(AMBIENT) == "ambient":
            text = (
                f"Namespace {name_of(body)} is in Istio's ambient mode: there a route counts only behind a waypoint. "
                "MeshUI shows routes of ambient namespaces and does not change them."
            )
            yield refused("root", text)


def end(live: LiveRoute, around: Around) -> Rendered:
    """The VirtualService first, then DestinationRules that are ours and that nobody else names."""
    if not is_ours(live.body):
        text = (
            f"{live.ref} was not made by MeshUI, so it is not deleted. Give all requests to one backend instead, or "
            "delete it where it was made."
        )
        return Rendered((), (refused("route", text),))
    writes = [NativeWrite(live.ref, live.body, op="delete")]
    used = set(destinations_of(live.body))
    others = [body for body in _virtual_services(around) if uid_of(body) != live.uid]
    still = {host for body in others for host in destinations_of(body)}
    for body in destination_rules(around):
        host = split_host(str(_spec(body)["host"]), namespace_of(body))
        if is_ours(body) and host in used and host not in still:
            writes.append(NativeWrite(rule_ref(body), body, op="delete"))
    return Rendered(tuple(writes))


def _spec(body: JsonObject) -> dict[str, Any]:
    found = body.get("spec")
    return found if isinstance(found, dict) else {}


def _virtual_services(around: Around) -> list[JsonObject]:
    bodies: Iterable[JsonObject] = (*around.rivals, *around.companions)
    return [body for body in bodies if body.get("kind") == "VirtualService"]


def destinations_of(body: JsonObject) -> Iterator[tuple[str, str]]:
    """The services whose subsets it names, in whatever protocol."""
    for field in ("http", "tcp", "tls"):
        for rule in dicts(_spec(body).get(field)):
            for destination in _leads_to(rule):
                if isinstance(destination, dict) and destination.get("subset"):
                    yield split_host(str(destination.get("host") or ""), namespace_of(body))


def _leads_to(rule: dict[str, Any]) -> Iterator[object]:
    yield from (entry.get("destination") for entry in (*dicts(rule.get("route")), *dicts(rule.get("mirrors"))))
    yield rule.get("mirror")
