"""Writing rules of VirtualServices, and the part of an Istio object that decides routing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.edits import fresh_matches, losses_of, refused
from meshes.adapters.istio_match import match_fault, native_match
from meshes.adapters.istio_read import is_service_host, split_host
from meshes.adapters.natives import labels_of, namespace_of, plain
from meshes.adapters.patching import applied
from meshes.adapters.projections import projection
from meshes.adapters.rule_patches import Dialect, extras_lost, operations_of
from meshes.adapters.shares import reduce_weights
from meshes.types import NativeWrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Backend, LiveRoute, Loss, Projection, Route
    from meshui.lib.jsontypes import JsonObject

DOMAIN = "cluster.local"


def project(body: JsonObject) -> Projection:
    """All of spec, weights divided by their greatest common divisor; a single destination has none.

    Every field of the spec decides routing; of the labels istio.io/rev alone does, of annotations none.
    """
    spec = {**cast("dict[str, Any]", body.get("spec") or {})}
    for field in ("http", "tcp", "tls"):
        if spec.get(field):
            spec[field] = [_by_ratio(rule) for rule in spec[field]]
    labels = labels_of(body)
    read_by = {"istio.io/rev": str(labels["istio.io/rev"])} if "istio.io/rev" in labels else {}
    return projection(cast("JsonObject", {"spec": plain(spec), "labels": read_by}), body)


def _by_ratio(rule: dict[str, Any]) -> dict[str, Any]:
    """A copy of a rule whose weights can be compared."""
    if not rule.get("route"):
        return rule
    route = [{**entry} for entry in rule["route"]]
    if len(route) == 1:
        route[0].pop("weight", None)
    else:
        reduce_weights(route, absent=0)
    return {**rule, "route": route}


class Hosts:
    """How this VirtualService spells hosts: as it does already, else by full name in the domain that it uses."""

    def __init__(self, namespace: str, *bodies: JsonObject) -> None:
        self._spelled: dict[tuple[str, str], str] = {}
        self.domain = DOMAIN
        for host in [host for body in bodies for host in _hosts_of(body)]:
            self._spelled.setdefault(split_host(host, namespace), host)
            if is_service_host(host) and "." in host:
                self.domain = host.split(".", 3)[3]

    def spelled(self, service: str, namespace: str) -> str:
        """As the object spells it."""
        return self._spelled.get((service, namespace)) or self.full(service, namespace)

    def full(self, service: str, namespace: str) -> str:
        """`service.namespace.svc.domain`; a host outside the cluster stays as it is."""
        return service if "." in service else f"{service}.{namespace}.svc.{self.domain}"

    def destination(self, backend: Backend) -> dict[str, Any]:
        """An entry of a route, without its weight."""
        found: dict[str, Any] = {"host": self.spelled(backend.service, backend.namespace)}
        if backend.subset:
            found["subset"] = backend.subset
        if backend.port is not None:
            found["port"] = {"number": backend.port}
        return {"destination": found}


def _hosts_of(body: JsonObject) -> Iterator[str]:
    spec = cast("dict[str, Any]", body.get("spec") or {})
    for rule in spec.get("http") or []:
        for entry in rule.get("route") or []:
            yield str(entry["destination"]["host"])
    yield from map(str, [*(spec.get("hosts") or []), *filter(None, [spec.get("host")])])


def dialect(hosts: Hosts) -> Dialect:
    """VirtualServices, as `hosts` spells them."""
    return Dialect(
        rules="http",
        backends="route",
        matches="match",
        leads=("destination",),
        safe=("uri", "method", "scheme", "authority", "port"),
        is_named=True,
        to_match=native_match,
        to_backend=hosts.destination,
    )


def losses(desired: Route, live: Route | None) -> list[Loss]:
    """What cannot be asked of a VirtualService; a match that it cannot hold would move requests."""
    found = losses_of(desired, live, is_ordered=True)
    for name, match in fresh_matches(desired, live):
        if fault := match_fault(match):
            found.append(refused(f"rules[{name}].matches", fault))
    return list(dict.fromkeys(found))


def patch_of(desired: Route, live: LiveRoute) -> tuple[NativeWrite | None, list[Loss]]:
    """One write of what changes; None where nothing does. `live.route` must be the reading of `live.body` alone."""
    hosts = Hosts(namespace_of(live.body), live.body)
    native = cast("list[dict[str, Any]]", cast("dict[str, Any]", live.body["spec"])["http"])
    speak = dialect(hosts)
    found = operations_of(speak, native, desired.rules, live.route.rules)
    lost = list(extras_lost(speak, native, desired.rules, live.route.rules))
    if not found:
        return None, lost
    return NativeWrite(live.ref, applied(live.body, found), found), lost
