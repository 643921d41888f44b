"""What a mesh's controller writes into the status of HTTPRoutes and GRPCRoutes whose parent is a Service.

Istio's as the contract suite sees it of the real istiod; Linkerd's from Linkerd's reference, since its control plane
cannot be built: no `observedGeneration`, other reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from playground.apiserver.errors import ApiError
from playground.apiserver.jsontypes import clone, timestamp
from playground.apiserver.loop import Loop
from playground.apiserver.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from playground.apiserver.jsontypes import Json, Objects
    from playground.apiserver.server import ApiServer
    from playground.apiserver.store import Event, Store

    Answers: TypeAlias = Callable[["Route", "Seen"], list[Json]]

HTTP_ROUTES, GRPC_ROUTES = "httproutes.gateway.networking.k8s.io", "grpcroutes.gateway.networking.k8s.io"
ISTIO_ROUTES = (HTTP_ROUTES, GRPC_ROUTES)
LINKERD_ROUTES = (*ISTIO_ROUTES, "httproutes.policy.linkerd.io")


@dataclass(frozen=True, slots=True)
class Reference:
    """A Service that a route names as parent or backend."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def is_service(self) -> bool:
        """Tell whether it means a Service; Linkerd reads `core` as the core group, Istio does not."""
        return self.kind == "Service" and self.group == ""


def reference(ref: Json, namespace: str) -> Reference:
    """Return what a parentRef or backendRef means in a route of `namespace`."""
    return Reference(ref.get("group", ""), ref.get("kind", "Service"), ref.get("namespace", namespace), ref["name"])


@dataclass(frozen=True, slots=True)
class Route:
    """A route object as a controller reads it."""

    key: str
    body: Json

    @property
    def namespace(self) -> str:
        """Where it lives."""
        return str(self.body["metadata"]["namespace"])

    @property
    def parents(self) -> Objects:
        """What it is attached to."""
        return list(self.body["spec"].get("parentRefs") or ())

    def backends(self) -> Iterable[Reference]:
        """All backends of all rules."""
        for rule in self.body["spec"].get("rules") or ():
            for backend in rule.get("backendRefs") or ():
                yield reference(backend, self.namespace)


class Seen:
    """What a controller knows of the rest of the cluster."""

    def __init__(self, store: Store) -> None:
        """Look into `store`."""
        self._store = store

    def service(self, wanted: Reference) -> Json | None:
        """Return the Service, or None."""
        entry = self._store.get("services", key_of(wanted.namespace, wanted.name))
        return entry.object if entry else None

    def has_grpc_route(self, parent: Reference) -> bool:
        """Tell whether a GRPCRoute names this Service as its parent."""
        return any(
            reference(ref, entry.namespace) == parent
            for entry in self._store.entries(GRPC_ROUTES)[0]
            for ref in entry.object["spec"].get("parentRefs") or ()
        )


@dataclass(frozen=True, slots=True)
class Controller:
    """A mesh's controller: its name in `status.parents`, its field manager, its kinds, and what it says of a route."""

    name: str
    manager: str
    kinds: Sequence[str]
    answers: Answers


class Acceptance(Loop):
    """Lets a controller answer each of its routes in `status.parents`, and leave the answers of others alone."""

    def __init__(self, server: ApiServer, controller: Controller) -> None:
        """Write to the objects of `server`."""
        super().__init__(server.core, "acceptance")
        self._controller, self._objects = controller, server.objects

    @property
    def watched(self) -> Sequence[str]:
        """Routes, and what they name."""
        return (*self._controller.kinds, "services")

    def handle(self, events: Sequence[Event]) -> None:
        """Judge all routes anew: a Service that comes or goes may be a backend of any."""
        for kind in self._controller.kinds if events else ():
            for entry in self.store.entries(kind)[0]:
                self._judge(Route(kind, entry.object))

    def _judge(self, route: Route) -> None:
        controller = self._controller
        old: Objects = (route.body.get("status") or {}).get("parents") or []
        kept = [each for each in old if each["controllerName"] != controller.name]
        said = controller.answers(route, Seen(self.store))
        parents = kept + [_since({"controllerName": controller.name, **answer}, old) for answer in said]
        if parents == old:
            return
        metadata = route.body["metadata"]
        status, manager = {"parents": parents}, controller.manager
        try:
            self._objects.set_status(route.key, metadata["name"], metadata["namespace"], status, manager=manager)
        except ApiError:
            return  # it is gone, or going


def _since(answer: Json, old: Objects) -> Json:
    """Return an answer whose conditions say since when they hold."""
    answer = clone(answer)
    before = [
        condition
        for each in old
        if (each["controllerName"], each["parentRef"]) == (answer["controllerName"], answer["parentRef"])
        for condition in each.get("conditions") or ()
    ]
    for condition in answer["conditions"]:
        same = [c for c in before if (c["type"], c["status"]) == (condition["type"], condition["status"])]
        condition["lastTransitionTime"] = same[0]["lastTransitionTime"] if same else timestamp()
    return answer


def _condition(kind: str, reason: str, message: str, *, is_true: bool) -> Json:
    return {"type": kind, "status": "True" if is_true else "False", "reason": reason, "message": message}


def istio_answers(route: Route, seen: Seen) -> list[Json]:
    """Return what istiod says of a route, a parent each."""
    generation = route.body["metadata"]["generation"]
    answers = []
    for ref in route.parents:
        parent = reference(ref, route.namespace)
        if not parent.is_service:
            continue
        conditions = [_istio_accepted(parent, seen), _istio_resolved(route, seen)]
        seen_now = [{**each, "observedGeneration": generation} for each in conditions]
        answers.append({"parentRef": ref, "conditions": seen_now})
    return answers


def _istio_accepted(parent: Reference, seen: Seen) -> Json:
    if seen.service(parent) is None:
        text = f'parent service: "{parent.name}" not found'
        return _condition("Accepted", "NoMatchingParent", text, is_true=False)
    return _condition("Accepted", "Accepted", "Route was valid", is_true=True)


def _istio_resolved(route: Route, seen: Seen) -> Json:
    for backend in route.backends():
        if backend.is_service and seen.service(backend) is None:
            text = f"backend({backend.name}.{backend.namespace}.svc.cluster.local) not found"
            return _condition("ResolvedRefs", "BackendNotFound", text, is_true=False)
    return _condition("ResolvedRefs", "ResolvedRefs", "All references resolved", is_true=True)


def linkerd_answers(route: Route, seen: Seen) -> list[Json]:
    """Return what Linkerd's policy controller says of a route, a parent each."""
    answers = []
    for ref in route.parents:
        parent = reference({**ref, "group": ""} if ref.get("group") == "core" else ref, route.namespace)
        if parent.is_service:
            conditions = [_linkerd_accepted(route, parent, seen), _linkerd_resolved(route, seen)]
            answers.append({"parentRef": ref, "conditions": conditions})
    return answers


def _linkerd_accepted(route: Route, parent: Reference, seen: Seen) -> Json:
    service = seen.service(parent)
    if service is None:
        return _condition("Accepted", "NoMatchingParent", "", is_true=False)
    if service["spec"].get("clusterIP") == "None":
        return _condition("Accepted", "NoMatchingParent", "parent service must have a ClusterIP", is_true=False)
    if route.key != GRPC_ROUTES and seen.has_grpc_route(parent):
        return _condition("Accepted", "RouteReasonConflicted", "", is_true=False)
    return _condition("Accepted", "Accepted", "", is_true=True)


def _linkerd_resolved(route: Route, seen: Seen) -> Json:
    for backend in route.backends():
        if not backend.is_service:
            return _condition("ResolvedRefs", "InvalidKind", "", is_true=False)
        if seen.service(backend) is None:
            return _condition("ResolvedRefs", "BackendNotFound", "", is_true=False)
    return _condition("ResolvedRefs", "ResolvedRefs", "", is_true=True)


ISTIO = Controller("istio.io/gateway-controller", "pilot-discovery", ISTIO_ROUTES, istio_answers)
LINKERD = Controller("linkerd.io/policy-controller", "policy.linkerd.io", LINKERD_ROUTES, linkerd_answers)
