"""Writing routes of the Gateway API whose parent is a Service, in the fields of 1.2.1 that every mesh reads. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import MANAGED_BY
from meshes.adapters.edits import fresh_backends, fresh_matches, losses_of, refused
from meshes.adapters.gateway_match import match_fault, native_match
from meshes.adapters.gateway_read import with_defaults
from meshes.adapters.natives import is_ours, labels_of, plain
from meshes.adapters.patching import applied
from meshes.adapters.projections import projection
from meshes.adapters.rule_patches import Dialect, extras_lost, operations_of
from meshes.adapters.shares import reduce_weights
from meshes.types import NativeWrite, Rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.clients import ObjectRef
    from meshes.types import Around, Backend, LiveRoute, Loss, Projection, Route
    from meshui.lib.jsontypes import JsonObject

MOST_BACKENDS = 16
MOST_RULES = 16
MOST_MATCHES = 64
MOST_MATCHES_OF_ROUTE = 128


def project(body: JsonObject) -> Projection:
    """Kind and spec as the API server fills it in, weights by ratio; names of rules and annotations move nothing."""
    spec = with_defaults(copy.deepcopy(body))
    for rule in spec["rules"]:
        reduce_weights(rule["backendRefs"], absent=1)
    labels = labels_of(body)
    read_by = {"istio.io/rev": str(labels["istio.io/rev"])} if "istio.io/rev" in labels else {}
    content = {"kind": str(body.get("kind") or ""), "spec": plain(spec), "labels": read_by}
    return projection(cast("JsonObject", content), body)


class Ports:
    """Which port of a Service a backend means that names none: routes of the Gateway API must say it."""

    def __init__(self, route: Route, around: Around, live: Route | None = None) -> None:
        self._services = around.services
        self._root = route.root.port or (live.root.port if live else None)
        backends = [weighted.backend for rule in (live or route).rules for weighted in rule.backends]
        used = {backend.port for backend in backends if backend.port is not None}
        self._used = used.pop() if len(used) == 1 else None

    def port_of(self, backend: Backend) -> int | None:
        """None: it cannot be told."""
        if backend.port is not None:
            return backend.port
        body = self._services.get((backend.namespace, backend.service))
        if body is None:
            return self._used or self._root
        open_ports = ports_of(body)
        if len(open_ports) == 1:
            return open_ports[0]
        return next((port for port in (self._used, self._root) if port in open_ports), None)


def ports_of(service: JsonObject) -> list[int]:
    """The ports of a Service."""
    spec = cast("dict[str, Any]", service.get("spec") or {})
    return [int(port["port"]) for port in spec.get("ports") or [] if port.get("port")]


def dialect(namespace: str, protocol: str, ports: Ports) -> Dialect:
    """Routes in `namespace`; rules carry no names, which are newer than 1.2.1."""

    def backend_ref(backend: Backend) -> dict[str, Any]:
        found: dict[str, Any] = {"group": "", "kind": "Service", "name": backend.service}
        if backend.namespace != namespace:
            found["namespace"] = backend.namespace
        return {**found, "port": ports.port_of(backend)}

    return Dialect(
        rules="rules",
        backends="backendRefs",
        matches="matches",
        leads=("group", "kind", "name", "namespace", "port"),
        safe=("path", "method"),
        is_named=False,
        to_match=lambda match: native_match(match, protocol),
        to_backend=backend_ref,
    )


def change(desired: Route, live: LiveRoute, around: Around) -> Rendered:
    """The patch that makes `live` as `desired`."""
    ports = Ports(desired, around, live.route)
    losses = [*losses_of(desired, live.route, is_ordered=False), *_losses(desired, live.route, live.ref, ports)]
    if any(loss.moves_requests for loss in losses):
        return Rendered((), tuple(losses))
    speak = dialect(live.ref.namespace, desired.protocol, ports)
    native = cast("list[dict[str, Any]]", cast("dict[str, Any]", live.body["spec"])["rules"])
    found = operations_of(speak, native, desired.rules, live.route.rules)
    losses += extras_lost(speak, native, desired.rules, live.route.rules)
    if not found:
        return Rendered((), tuple(losses))
    return Rendered((NativeWrite(live.ref, applied(live.body, found), found),), tuple(losses))


def start(desired: Route, ref: ObjectRef, around: Around, extra: list[Loss]) -> Rendered:
    """The route that is made where none is; `extra`: what the mesh itself has against it."""
    ports = Ports(desired, around)
    losses = [*losses_of(desired, None, is_ordered=False), *_losses(desired, None, ref, ports)]
    losses += [*_start_losses(desired, ref, around), *extra]
    if any(loss.moves_requests for loss in losses):
        return Rendered((), tuple(losses))
    parent: dict[str, Any] = {"group": "", "kind": "Service", "name": desired.root.service}
    if desired.root.port is not None:
        parent["port"] = desired.root.port
    speak = dialect(ref.namespace, desired.protocol, ports)
    body: dict[str, Any] = {
        "apiVersion": ref.resource.api_version,
        "kind": ref.resource.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": dict([MANAGED_BY])},
        "spec": {"parentRefs": [parent], "rules": [speak.native_rule(rule) for rule in desired.rules]},
    }
    return Rendered((NativeWrite(ref, cast("JsonObject", body), op="create"),), tuple(losses))


def end(live: LiveRoute) -> Rendered:
    """The route is deleted if it is ours: the Service then answers for itself again."""
    if is_ours(live.body):
        return Rendered((NativeWrite(live.ref, live.body, op="delete"),))
    text = (
        f"{live.ref} was not made by MeshUI, so it is not deleted. Give all requests to one backend instead, or delete "
        "it where it was made."
    )
    return Rendered((), (refused("route", text),))


def _losses(desired: Route, live: Route | None, ref: ObjectRef, ports: Ports) -> Iterator[Loss]:
    yield from _size_losses(desired)
    for name, match in fresh_matches(desired, live):
        if fault := match_fault(match, desired.protocol):
            yield refused(f"rules[{name}].matches", fault)
    for backend in fresh_backends(desired, live):
        if fault := _backend_fault(backend, ref, ports):
            yield refused(f"backends[{backend.key}]", fault)


def _size_losses(desired: Route) -> Iterator[Loss]:
    counts = [len(rule.matches) for rule in desired.rules]
    backends = [len(rule.backends) for rule in desired.rules]
    for is_over, text in (
        (len(counts) > MOST_RULES, f"A route of the Gateway API holds {MOST_RULES} rules at most."),
        (
            max(backends, default=0) > MOST_BACKENDS,
            f"A rule of the Gateway API holds {MOST_BACKENDS} backends at most.",
        ),
        (max(counts, default=0) > MOST_MATCHES, f"A rule of the Gateway API holds {MOST_MATCHES} matches at most."),
        (
            sum(counts) > MOST_MATCHES_OF_ROUTE,
            f"A route of the Gateway API holds {MOST_MATCHES_OF_ROUTE} matches at most.",
        ),
    ):
        if is_over:
            yield refused("rules", text)


def _backend_fault(backend: Backend, ref: ObjectRef, ports: Ports) -> str:
    if backend.kind == "subset":
        return "A route of the Gateway API leads to Services, not to subsets: make a Service for each version."
    if not backend.service.replace("-", "").isalnum():
        return "A route of the Gateway API leads to Services of the cluster alone."
    if backend.namespace != ref.namespace:
        return (
            f"A backend in namespace {backend.namespace} needs a ReferenceGrant there, which MeshUI does not read. Use "
            f"a Service of {ref.namespace}."
        )
    if ports.port_of(backend) is None:
        return f"Which port of Service {backend.service} gets the requests is not clear. Name it."
    return ""


def _start_losses(desired: Route, ref: ObjectRef, around: Around) -> Iterator[Loss]:
    root = desired.root
    if desired.scope != "producer" or ref.namespace != root.namespace:
        yield refused("scope", "A split that starts decides for every client of the service.")
    if desired.protocol == "tcp":
        yield refused("protocol", "Splits of TCP are not offered.")
    service = around.services.get((root.namespace, root.service))
    if service is None:
        return
    if cast("dict[str, Any]", service.get("spec") or {}).get("clusterIP") == "None":
        yield refused("root", f"Service {root.service} is headless: no route can have it as its parent.")
    if root.port is None and len(ports_of(service)) > 1:
        ports = ", ".join(map(str, ports_of(service)))
        yield refused("root.port", f"Service {root.service} has the ports {ports}. Name the one that is split.")
    if root.port is not None and root.port not in ports_of(service):
        yield refused("root.port", f"Service {root.service} has no port {root.port}.")
