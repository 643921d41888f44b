"""What runs beside the API server of a real cluster, as far as a mesh's inventory needs it.

One thread: Deployments get a ReplicaSet and ready pods, Services get EndpointSlices, namespaces get a service account
and empty themselves when they go, and what has lost its owner goes too.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from playground.apiserver.errors import ApiError
from playground.apiserver.store import key_of
from playground.apiserver.workloads import (
    deployment_status,
    endpoint_slice,
    is_owned_by,
    new_pod,
    pod_status,
    replica_set,
    slice_name,
)
from playground.apiserver.writing import create_object

if TYPE_CHECKING:
    from playground.apiserver.calls import Core
    from playground.apiserver.jsontypes import Json, Objects
    from playground.apiserver.local import LocalObjects
    from playground.apiserver.store import Event

SLICES = "endpointslices.discovery.k8s.io"
DEPLOYMENTS, REPLICA_SETS = "deployments.apps", "replicasets.apps"
WATCHED = ("namespaces", DEPLOYMENTS, REPLICA_SETS, "pods", "services")
RETRY_SECONDS = 0.5
BATCH_SECONDS = 0.01  # what is written together is handled together
KCM = "kube-controller-manager"


class Controllers:
    """The controllers of one server."""

    def __init__(self, core: Core, objects: LocalObjects) -> None:
        """Nothing runs before `start`."""
        self._core = core
        self._store = core.store
        self._objects = objects
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._seen = 0
        self._undone: list[Event] = []

    def start(self) -> None:
        """Begin to work, on what happened before too."""
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="controllers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._is_stopping = True
        with self._store.changed:
            self._store.changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def settle(self, seconds: float) -> None:
        """Wait until nothing is left to do. Raises TimeoutError."""
        with self._store.changed:
            if not self._store.changed.wait_for(self._is_idle, seconds):
                raise TimeoutError(f"The controllers were not done after {seconds} s.")

    def _is_idle(self) -> bool:
        return self._seen == self._store.revision and not self._undone

    def _run(self) -> None:
        while not self._is_stopping:
            events, revision = self._wait()
            for event in events:
                self._handle(event)
            self._refresh_slices(events)
            with self._store.changed:
                self._seen = revision
                self._store.changed.notify_all()

    def _wait(self) -> tuple[list[Event], int]:
        """Return what happened since the last round, waiting for it if nothing did."""
        with self._store.changed:
            if self._is_idle() and not self._is_stopping:
                self._store.changed.wait()
            elif self._undone and self._seen == self._store.revision and not self._is_stopping:
                self._store.changed.wait(RETRY_SECONDS)
        self._core.stopping.wait(BATCH_SECONDS)
        with self._store.changed:
            events, self._undone = self._undone, []
            for kind in WATCHED:
                events += self._store.events_after(kind, self._seen, is_running=True)
            return events, self._store.revision

    def _handle(self, event: Event) -> None:
        """Do what one event asks for; try again later if the server refuses."""
        try:
            if event.kind == "namespaces":
                self._namespace(event)
            elif event.is_deleted:
                self._collect_garbage(event.entry.object)
            if event.kind == DEPLOYMENTS:
                self._deployment(event.entry.key)
            elif event.kind in {REPLICA_SETS, "pods"} and event.is_deleted:
                self._replace_lost(event.entry.object)
        except (ApiError, KeyError):
            self._undone.append(event)

    def _current(self, kind: str, key: str) -> Json | None:
        entry = self._store.get(kind, key)
        return entry.object if entry else None

    def _namespace(self, event: Event) -> None:
        namespace = self._current("namespaces", event.entry.key)
        if namespace is None:
            return
        name = namespace["metadata"]["name"]
        if "deletionTimestamp" in namespace["metadata"]:
            self._empty(name)
        elif self._store.get("serviceaccounts", key_of(name, "default")) is None:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
            self._objects.load([account], manager=KCM)

    def _empty(self, namespace: str) -> None:
        """Delete what a dying namespace holds; the namespace itself when nothing is left (KeyError before)."""
        left = 0
        for resource in {resource.key: resource for resource in self._core.registry if resource.namespaced}.values():
            for entry in self._store.entries(resource.key)[0]:
                if entry.namespace == namespace:
                    self._objects.delete(resource.key, entry.name, namespace)
                    left += self._store.get(resource.key, entry.key) is not None
        if left:
            raise KeyError(f"{left} objects of namespace {namespace} are held by finalizers.")
        self._store.delete("namespaces", namespace)

    def _collect_garbage(self, owner: Json) -> None:
        namespace = owner["metadata"].get("namespace", "")
        for kind in (REPLICA_SETS, "pods", SLICES):
            for entry in self._store.entries(kind)[0]:
                if entry.namespace == namespace and is_owned_by(entry.object, owner):
                    self._objects.delete(kind, entry.name, namespace)

    def _deployment(self, key: str) -> None:
        deployment = self._current(DEPLOYMENTS, key)
        if deployment is None:
            return
        wanted = replica_set(deployment)
        namespace = wanted["metadata"]["namespace"]
        for entry in self._store.entries(REPLICA_SETS)[0]:
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
        """Let a ReplicaSet have as many ready pods as it should."""
        namespace = owner["metadata"]["namespace"]
        pods = [entry for entry in self._store.entries("pods")[0] if is_owned_by(entry.object, owner)]
        for entry in pods[wanted:]:
            self._objects.delete("pods", entry.name, namespace)
        for _ in range(wanted - len(pods)):
            self._start_pod(new_pod(owner))
        if owner["spec"].get("replicas") != wanted or (owner.get("status") or {}).get("readyReplicas") != wanted:

            def change(obj: Json) -> None:
                obj["spec"]["replicas"] = wanted
                obj["status"] = {"replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted}

            self._objects.edit(REPLICA_SETS, owner["metadata"]["name"], namespace, change, manager=KCM)

    def _start_pod(self, pod: Json) -> None:
        """Create a pod as a client would, mutating webhooks included, and make it ready."""
        namespace = pod["metadata"]["namespace"]
        call = self._objects.call(self._core.registry.named("pods"), namespace, "", KCM)
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
            if reference["kind"] == "Deployment":
                self._deployment(key_of(namespace, reference["name"]))
            owner = self._current(REPLICA_SETS, key_of(namespace, reference["name"]))
            if owner is not None and owner["metadata"]["uid"] == reference["uid"]:
                self._scale(owner, owner["spec"].get("replicas", 1))

    def _refresh_slices(self, events: list[Event]) -> None:
        """Bring the EndpointSlices of all services that events touch up to date."""
        touched = {event.entry.key for event in events if event.kind == "services"}
        moved = {event.entry.namespace for event in events if event.kind == "pods"}
        if moved:
            entries = self._store.entries("services")[0]
            touched |= {entry.key for entry in entries if entry.namespace in moved}
        pods: dict[str, Objects] = {}
        for entry in self._store.entries("pods")[0] if touched else ():
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
