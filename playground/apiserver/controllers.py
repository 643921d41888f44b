"""What runs beside the API server of a real cluster, as far as a mesh's inventory needs it.

One thread: Deployments get a ReplicaSet and pods, StatefulSets and DaemonSets pods, Services get EndpointSlices,
namespaces get a service account and empty themselves when they go, and what has lost its owner goes too.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from playground.apiserver.errors import ApiError
from playground.apiserver.loop import Loop
from playground.apiserver.store import key_of
from playground.apiserver.workloads import (
    can_run,
    deployment_status,
    endpoint_slice,
    is_owned_by,
    new_name,
    new_pod,
    pod_status,
    replica_set,
    set_status,
    slice_name,
)
from playground.apiserver.writing import create_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.apiserver.calls import Core
    from playground.apiserver.jsontypes import Json, Objects
    from playground.apiserver.local import LocalObjects
    from playground.apiserver.store import Entry, Event

SLICES = "endpointslices.discovery.k8s.io"
DEPLOYMENTS, REPLICA_SETS = "deployments.apps", "replicasets.apps"
STATEFUL_SETS, DAEMON_SETS = "statefulsets.apps", "daemonsets.apps"
OWNERS = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)
FIRST = ("namespaces", *OWNERS, REPLICA_SETS, "pods", "services")
KCM = "kube-controller-manager"


class Controllers(Loop):
    """The controllers of one server."""

    def __init__(self, core: Core, objects: LocalObjects) -> None:
        """Nothing runs before `start`."""
        super().__init__(core, "controllers")
        self._objects = objects

    @property
    def watched(self) -> Sequence[str]:
        """Every kind: anything may own anything."""
        return list(dict.fromkeys([*FIRST, *(resource.key for resource in self.core.registry)]))

    def handle(self, events: Sequence[Event]) -> None:
        """Do what a batch of events asks for."""
        for event in events:
            self._handle(event)
        self._collect_garbage(events)
        self._refresh_slices(events)

    def _handle(self, event: Event) -> None:
        """Do what one event asks for; try again later if the server refuses."""
        try:
            if event.kind == "namespaces":
                self._namespace(event)
            elif event.kind == DEPLOYMENTS:
                self._deployment(event.entry.key)
            elif event.kind in {STATEFUL_SETS, DAEMON_SETS}:
                self._owner_of_pods(event.kind, event.entry.key)
            elif event.kind in {REPLICA_SETS, "pods"} and event.is_deleted:
                self._replace_lost(event.entry.object)
        except (ApiError, KeyError):
            self.undone.append(event)

    def _current(self, kind: str, key: str) -> Json | None:
        entry = self.store.get(kind, key)
        return entry.object if entry else None

    def _namespace(self, event: Event) -> None:
        namespace = self._current("namespaces", event.entry.key)
        if namespace is None:
            return
        name = namespace["metadata"]["name"]
        if "deletionTimestamp" in namespace["metadata"]:
            self._empty(name)
        elif self.store.get("serviceaccounts", key_of(name, "default")) is None:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
            self._objects.load([account], manager=KCM)

    def _empty(self, namespace: str) -> None:
        """Delete what a dying namespace holds; the namespace itself when nothing is left (KeyError before)."""
        left = 0
        for resource in {resource.key: resource for resource in self.core.registry if resource.namespaced}.values():
            for entry in self.store.entries(resource.key)[0]:
                if entry.namespace == namespace:
                    self._objects.delete(resource.key, entry.name, namespace)
                    left += self.store.get(resource.key, entry.key) is not None
        if left:
            raise KeyError(f"{left} objects of namespace {namespace} are held by finalizers.")
        self.store.delete("namespaces", namespace)

    def _collect_garbage(self, events: Sequence[Event]) -> None:
        """Delete what has lost its last owner; what has another one only forgets the lost ones."""
        dead = {event.entry.object["metadata"]["uid"] for event in events if event.is_deleted}
        for key in self.watched if dead else ():
            for entry in self.store.entries(key)[0]:
                owners = entry.object["metadata"].get("ownerReferences") or ()
                left = [owner for owner in owners if owner["uid"] not in dead]
                if len(left) < len(owners):
                    self._lose_owners(key, entry, left)

    def _lose_owners(self, key: str, entry: Entry, left: Objects) -> None:
        def change(obj: Json) -> None:
            obj["metadata"]["ownerReferences"] = left

        with suppress(ApiError):  # somebody else was faster
            if left:
                self._objects.edit(key, entry.name, entry.namespace, change, manager=KCM)
            else:
                self._objects.delete(key, entry.name, entry.namespace)

    def _deployment(self, key: str) -> None:
        deployment = self._current(DEPLOYMENTS, key)
        if deployment is None:
            return
        wanted = replica_set(deployment)
        namespace = wanted["metadata"]["namespace"]
        for entry in self.store.entries(REPLICA_SETS)[0]:
            is_old = entry.namespace == namespace and is_owned_by(entry.object, deployment)
            if is_old and entry.name != wanted["metadata"]["name"]:
                self._objects.delete(REPLICA_SETS, entry.name, namespace)
        current = self._current(REPLICA_SETS, key_of(namespace, wanted["metadata"]["name"]))
        if current is None:
            current = self._objects.load([wanted], manager=KCM)[0]
        self._scale(current, deployment["spec"].get("replicas", 1))
        status = deployment_status(deployment)
        if deployment.get("status") != status:
            self._set(DEPLOYMENTS, deployment, status)

    def _scale(self, owner: Json, wanted: int) -> None:
        """Let a ReplicaSet have as many pods as it should, ready ones if they can run."""
        self._fill(owner, [new_name(owner) for _ in range(wanted)])
        ready = wanted if can_run(owner["spec"]["template"]) else 0
        if owner["spec"].get("replicas") != wanted or (owner.get("status") or {}).get("readyReplicas") != ready:

            def change(obj: Json) -> None:
                obj["spec"]["replicas"] = wanted
                obj["status"] = {"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready}

            metadata = owner["metadata"]
            self._objects.edit(REPLICA_SETS, metadata["name"], metadata["namespace"], change, manager=KCM)

    def _owner_of_pods(self, kind: str, key: str) -> None:
        """A StatefulSet has pods with numbers, a DaemonSet one for the only node."""
        owner = self._current(kind, key)
        if owner is None:
            return
        name = owner["metadata"]["name"]
        numbers = range(owner["spec"].get("replicas", 1)) if kind == STATEFUL_SETS else ()
        self._fill(owner, [f"{name}-{number}" for number in numbers] or self._daemon_names(kind, owner))
        status = set_status(owner)
        if owner.get("status") != status:
            self._set(kind, owner, status)

    def _daemon_names(self, kind: str, owner: Json) -> list[str]:
        return [new_name(owner)] if kind == DAEMON_SETS else []

    def _fill(self, owner: Json, names: Sequence[str]) -> None:
        """Let `owner` have as many pods as there are names; new ones take the names that nobody has."""
        namespace = owner["metadata"]["namespace"]
        pods = [entry.name for entry in self.store.entries("pods")[0] if is_owned_by(entry.object, owner)]
        for name in pods[len(names) :]:
            self._objects.delete("pods", name, namespace)
        free = [name for name in names if name not in pods]
        for name in free[: max(0, len(names) - len(pods))]:
            self._start_pod(new_pod(owner, name))

    def _start_pod(self, pod: Json) -> None:
        """Create a pod as a client would, mutating webhooks included, and make it ready."""
        namespace = pod["metadata"]["namespace"]
        call = self._objects.call(self.core.registry.named("pods"), namespace, "", KCM)
        call.is_trusted = False
        created = create_object(call, pod, [])
        obj = created if isinstance(created, dict) else created.object
        self._set("pods", obj, pod_status(obj), manager="kubelet")

    def _set(self, kind: str, obj: Json, status: Json, *, manager: str = KCM) -> None:
        def change(current: Json) -> None:
            current["status"] = status

        metadata = obj["metadata"]
        self._objects.edit(kind, metadata["name"], metadata["namespace"], change, manager=manager)

    def _replace_lost(self, gone: Json) -> None:
        """Bring back what a Deployment has lost."""
        for reference in gone["metadata"].get("ownerReferences") or ():
            namespace = gone["metadata"]["namespace"]
            for kind in OWNERS:
                self._bring_back(kind, key_of(namespace, reference["name"]), reference)
            owner = self._current(REPLICA_SETS, key_of(namespace, reference["name"]))
            if owner is not None and owner["metadata"]["uid"] == reference["uid"]:
                self._scale(owner, owner["spec"].get("replicas", 1))

    def _bring_back(self, kind: str, key: str, reference: Json) -> None:
        if kind == f"{reference['kind'].lower()}s.apps":
            self._deployment(key) if kind == DEPLOYMENTS else self._owner_of_pods(kind, key)

    def _refresh_slices(self, events: Sequence[Event]) -> None:
        """Bring the EndpointSlices of all services that events touch up to date."""
        touched = {event.entry.key for event in events if event.kind == "services"}
        moved = {event.entry.namespace for event in events if event.kind == "pods"}
        if moved:
            entries = self.store.entries("services")[0]
            touched |= {entry.key for entry in entries if entry.namespace in moved}
        pods: dict[str, Objects] = {}
        for entry in self.store.entries("pods")[0] if touched else ():
            pods.setdefault(entry.namespace, []).append(entry.object)
        for key in sorted(touched):
            service = self._current("services", key)
            if service is not None:
                self._slice(service, pods.get(service["metadata"]["namespace"], []))

    def _slice(self, service: Json, pods: Objects) -> None:
        if not (service.get("spec") or {}).get("selector"):
            return
        wanted = endpoint_slice(service, pods)
        namespace = service["metadata"]["namespace"]
        current = self._current(SLICES, key_of(namespace, slice_name(service)))
        try:
            if current is None:
                self._objects.load([wanted], manager=KCM)
            elif (current["endpoints"], current["ports"]) != (wanted["endpoints"], wanted["ports"]):

                def change(obj: Json) -> None:
                    obj["endpoints"], obj["ports"] = wanted["endpoints"], wanted["ports"]

                self._objects.edit(SLICES, slice_name(service), namespace, change, manager=KCM)
        except ApiError:
            return  # the namespace is on its way out
