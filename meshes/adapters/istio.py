"""Istio: VirtualServices, DestinationRules and routes of Services as neutral routes, and what is wanted back into them.

Facts: mesh-reference §1. Lists are atomic and a VirtualService has no Accepted condition: what changes is a narrow JSON
Patch, and its acceptance cannot be observed. Routes of the Gateway API say theirs in their status.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from clusters.clients import ObjectRef
from meshes.adapters import (
    gateway_kinds,
    gateway_read,
    gateway_status,
    gateway_write,
    istio_around,
    istio_delegates,
    istio_detect,
    istio_mtls,
    istio_read,
    istio_reading,
    istio_start,
    istio_ties,
    istio_write,
)
from meshes.adapters.base import Capabilities, Verification
from meshes.adapters.edits import fresh_backends, refused, same_rules
from meshes.adapters.istio_companions import Subsets, with_labels
from meshes.adapters.istio_kinds import GROUP, ref_of, resources, version_of
from meshes.adapters.istio_signals import PROXY_PAGE, SIGNALS
from meshes.adapters.istio_subsets import destination_rules, subset_writes
from meshes.types import LiveRoute, Rendered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.clients import Reader, Resource
    from meshes.adapters.base import Detected, Read, Ties
    from meshes.adapters.mtls import FoundMtls, Secured
    from meshes.types import Around, NativeWrite, Projection, ProxyPage, Route, Signal, SignalSpec, Version
    from meshui.lib.jsontypes import JsonObject

KNOWN = ((1, 18), (1, 31))
"""The oldest and newest minor whose objects were read against this code or their CRDs."""


class IstioAdapter:
    """Pure translation: it is given what was read and returns what to write."""

    kind: ClassVar[str] = "istio"
    label: ClassVar[str] = "Istio"
    platforms: ClassVar[frozenset[str]] = frozenset({"kubernetes"})
    known: ClassVar[tuple[str, str]] = ("1.18", "1.31")
    signs: ClassVar[tuple[bytes, ...]] = (b'"istiod"',)
    signals: ClassVar[Mapping[Signal, SignalSpec]] = SIGNALS
    proxy_page: ClassVar[ProxyPage] = PROXY_PAGE

    def capabilities(self, version: Version) -> Capabilities:
        """Any whole number is a weight, so basis points fit; no version reports whether it took a VirtualService."""
        found = (version.major, version.minor)
        nearest = self.known[0] if (0, 0) < found < KNOWN[0] else self.known[1]
        return Capabilities(
            is_known=KNOWN[0] <= found <= KNOWN[1], weight_step_bp=1, reports_acceptance=False, nearest=nearest
        )

    def minor_of(self, version: Version) -> int | None:
        """1.31.0 → 31."""
        return version.minor if version.major == 1 else None

    def resources(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """VirtualServices, routes of the Gateway API, DestinationRules, and the webhooks that say what tags mean."""
        return resources(served)

    def detect(self, reader: Reader, deployments: Sequence[JsonObject]) -> Detected:
        """Workloads labelled app=istiod; what they trust stands in ConfigMaps beside them."""
        return istio_detect.detect(reader, deployments)

    def read(
        self,
        objects: Mapping[str, Sequence[JsonObject]],
        namespaces: Sequence[JsonObject],
        *,
        only: frozenset[str] | None = None,
    ) -> Read:
        """Every VirtualService and every route that Istio reads, with subsets, delegates and rivals."""
        return istio_reading.read(objects, namespaces, only)

    def policy_kinds(self, served: frozenset[str]) -> tuple[Resource, ...]:
        """PeerAuthentications."""
        return istio_mtls.policy_kinds(served)

    def mtls(self, seen: Secured) -> Mapping[str, FoundMtls]:
        """By PeerAuthentications: of workloads, of the namespace, of the root namespace; else permissive."""
        return istio_mtls.modes(seen)

    def ties(self, body: JsonObject) -> Ties:
        """By hosts, names of delegates and hosts of subsets."""
        return istio_ties.ties_of(body)

    def live(self, body: JsonObject) -> LiveRoute:
        """One object as it is; labels of subsets are not looked up, delegates not followed."""
        if gateway_kinds.is_route(body):
            found, _ = gateway_read.route_of(body, gateway_kinds.ISTIO)
            return LiveRoute(found, gateway_kinds.ref_of(body), body)
        route, _ = istio_read.route_of(body)
        return LiveRoute(route, ref_of(body), body)

    def seen(self, live: LiveRoute, around: Around) -> LiveRoute:
        """`live` with what its companions say: labels of its subsets, and the rules of its delegates."""
        if _is_gateway(live):
            return live
        bodies = istio_delegates.by_name(around.companions)
        route, _ = istio_delegates.followed(live.route, live.body, bodies)
        return replace(live, route=with_labels(route, Subsets(destination_rules(around))))

    def project(self, ref: ObjectRef, body: JsonObject) -> Projection:
        """All of spec, weights by ratio: every field of it decides routing, of whichever kind."""
        return istio_write.project(body) if ref.resource.group == GROUP else gateway_write.project(body)

    def around(self, reader: Reader, route: Route, ref: ObjectRef | None) -> Around:
        """Services, the namespace, DestinationRules, VirtualServices of the same hosts, routes of the same Service."""
        return istio_around.around(reader, route, ref)

    def new_ref(self, desired: Route, served: frozenset[str]) -> ObjectRef | None:
        """A VirtualService named as the service, in its namespace; None where the cluster serves none."""
        found = resources(served)
        return ObjectRef(found[0], desired.root.namespace, desired.root.service) if found else None

    def render(self, desired: Route | None, live: LiveRoute | None, around: Around) -> Rendered:
        """What makes `live` as `desired`, companions in their order; what cannot be done is a loss."""
        if live is None:
            return self._start(desired, around)
        losses = [] if desired is None else [*istio_start.ambient_losses(desired, around)]
        if losses:
            return Rendered((), tuple(losses))
        if _is_gateway(live):
            return gateway_write.end(live) if desired is None else gateway_write.change(desired, live, around)
        return istio_start.end(live, around) if desired is None else _change(desired, live, around)

    def _start(self, desired: Route | None, around: Around) -> Rendered:
        if desired is None:
            return Rendered(())
        ref = self.new_ref(desired, around.served or frozenset({f"{GROUP}/v1"}))
        if ref is None:
            text = "This cluster serves no VirtualServices: Istio is not installed there, or half of it."
            return Rendered((), (refused("route", text),))
        return istio_start.start(desired, ref, around)

    def verify(self, desired: Route | None, live: LiveRoute | None) -> Verification:
        """L2 for routes of the Gateway API; of a VirtualService Istio never says whether it took it."""
        if live is not None and _is_gateway(live):
            return gateway_status.verify(desired, live, gateway_kinds.ISTIO)
        if desired is None or live is None:
            is_right = desired is None and live is None
            return Verification("L1", *(("cannot be observed", GONE) if is_right else ("mismatch", _other_end(live))))
        mine, theirs = map(istio_delegates.own_rules, (desired.rules, live.route.rules))
        if same_rules(mine, theirs):
            return Verification("L1", "cannot be observed", STORED)
        return Verification("L1", "mismatch", f"What is stored differs in {_differing(desired, live.route)}.")


STORED = "Stored and read back; Istio does not report whether it took a VirtualService."
GONE = "It is gone; Istio does not report whether its proxies followed."


def _other_end(live: LiveRoute | None) -> str:
    return f"{live.ref} is still there." if live else "It is not there."


def _is_gateway(live: LiveRoute) -> bool:
    return live.ref.resource.group != GROUP


def _change(desired: Route, live: LiveRoute, around: Around) -> Rendered:
    """The missing subsets, then the VirtualService. Rules of delegates are shown with it and changed elsewhere."""
    native, _ = istio_read.route_of(live.body)
    shown = live.route
    if not any(map(istio_delegates.is_followed, shown.rules)):
        shown, _ = istio_delegates.followed(native, live.body, istio_delegates.by_name(around.companions))
    wanted, moved = istio_delegates.folded(desired, shown, native)
    losses = [*moved, *istio_write.losses(wanted, native)]
    hosts = istio_write.Hosts(live.ref.namespace, live.body)
    writes: list[NativeWrite] = []
    if around.served:
        writes, missing = subset_writes(fresh_backends(wanted, native), around, hosts, version_of(live.body))
        losses += missing
    if any(loss.moves_requests for loss in losses):
        return Rendered((), tuple(losses))
    patch, lost = istio_write.patch_of(wanted, replace(live, route=native))
    return Rendered((*writes, *([patch] if patch else [])), (*losses, *lost))


def _differing(desired: Route, live: Route) -> str:
    found = {rule.name: rule for rule in live.rules}
    if [rule.name for rule in desired.rules] != list(found):
        return "its rules"
    other = [rule.name for rule in desired.rules if not same_rules([rule], [found[rule.name]])]
    return f"rule {', '.join(other)}"
