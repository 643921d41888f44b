"""The objects that controllers make, as values: ReplicaSets, pods, EndpointSlices and their status."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from playground.apiserver.builtin import next_address
from playground.apiserver.jsontypes import clone, timestamp
from playground.apiserver.store import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playground.apiserver.jsontypes import Json

SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
HASH_LABEL = "pod-template-hash"
NODE = "node-1"


def _short_hash(value: object, length: int) -> str:
    return hashlib.sha256(encode(value)).hexdigest()[:length]


def is_owned_by(obj: Json, owner: Json) -> bool:
    """Tell whether `obj` names `owner` as an owner."""
    uid = owner["metadata"]["uid"]
    return any(reference["uid"] == uid for reference in obj["metadata"].get("ownerReferences") or ())


def _reference(owner: Json) -> Json:
    metadata = owner["metadata"]
    head = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**head, "controller": True, "blockOwnerDeletion": True}


def replica_set(deployment: Json) -> Json:
    """Return the ReplicaSet of a Deployment's template as it stands."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    template = clone(spec["template"])
    short = _short_hash(template, 9)
    labels = {**(template.get("metadata", {}).get("labels") or {}), HASH_LABEL: short}
    template["metadata"] = {**template.get("metadata", {}), "labels": labels}
    match_labels = {**(spec["selector"].get("matchLabels") or {}), HASH_LABEL: short}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{short}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [_reference(deployment)],
        },
        "spec": {"replicas": spec.get("replicas", 1), "selector": {"matchLabels": match_labels}, "template": template},
    }


def new_name(owner: Json) -> str:
    """Return a new name for a pod of `owner`."""
    return str(owner["metadata"]["name"]) + "-" + "".join(secrets.choice(SUFFIX) for _ in range(5))


def can_run(template: Json) -> bool:
    """Tell whether pods of a template find a node: the only one has no labels that anybody would ask for."""
    return not (template["spec"].get("nodeSelector") or {}).keys() - {"kubernetes.io/os"}


def new_pod(owner: Json, name: str) -> Json:
    """Return a pod of a ReplicaSet, StatefulSet or DaemonSet, not yet admitted."""
    template = clone(owner["spec"]["template"])
    metadata = {**template["metadata"], "name": name, "namespace": owner["metadata"]["namespace"]}
    metadata["ownerReferences"] = [_reference(owner)]
    node = {"nodeName": NODE} if can_run(template) else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**template["spec"], **node}}


def pod_status(pod: Json) -> Json:
    """Return the status of a pod that runs and is ready, or of one that waits for a node."""
    now = timestamp()
    if "nodeName" not in pod["spec"]:
        text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
        return {"phase": "Pending", "conditions": [{**unscheduled, "lastTransitionTime": now}]}
    address = next_address("10.99")
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "10.98.0.1",
        "startTime": now,
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"].get("containers") or ()
        ],
    }


def deployment_status(deployment: Json) -> Json:
    """Return the status of a Deployment: all of its pods are ready, or none can run."""
    replicas = deployment["spec"].get("replicas", 1)
    is_available = can_run(deployment["spec"]["template"]) or not replicas
    counts = {"replicas": replicas, "updatedReplicas": replicas}
    counts |= {"readyReplicas": replicas, "availableReplicas": replicas} if is_available else {}
    reason = "MinimumReplicasAvailable" if is_available else "MinimumReplicasUnavailable"
    available = {"type": "Available", "status": str(is_available), "reason": reason}
    old = (deployment.get("status") or {}).get("conditions") or [{}]
    is_same = old[0].get("reason") == reason
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **counts,
        **({} if is_available else {"unavailableReplicas": replicas}),
        "conditions": old if is_same else [{**available, "lastTransitionTime": timestamp()}],
    }


def set_status(owner: Json) -> Json:
    """Return the status of a StatefulSet or DaemonSet: all of its pods are ready, or none can run."""
    is_available = can_run(owner["spec"]["template"])
    seen = {"observedGeneration": owner["metadata"].get("generation", 1)}
    if owner["kind"] == "DaemonSet":
        wanted = int(is_available)
        names = ("currentNumberScheduled", "desiredNumberScheduled", "numberReady", "numberAvailable")
        return {**seen, **dict.fromkeys(names, wanted), "numberMisscheduled": 0, "updatedNumberScheduled": wanted}
    replicas = owner["spec"].get("replicas", 1)
    ready = replicas if is_available else 0
    names = ("currentReplicas", "readyReplicas", "availableReplicas", "updatedReplicas")
    return {**seen, "replicas": replicas, **dict.fromkeys(names, ready)}


def slice_name(service: Json) -> str:
    """Return the name of a service's one EndpointSlice."""
    return f"{service['metadata']['name']}-{_short_hash(service['metadata']['uid'], 5)}"


def endpoint_slice(service: Json, pods: Iterable[Json]) -> Json:
    """Return the EndpointSlice of a service that selects among `pods` of its namespace."""
    metadata, spec = service["metadata"], service["spec"]
    wanted = spec["selector"].items()
    chosen = [pod for pod in pods if wanted <= (pod["metadata"].get("labels") or {}).items() and _address(pod)]
    labels = {
        "kubernetes.io/service-name": metadata["name"],
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name(service),
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod) for pod in chosen],
        "ports": [_port(port) for port in spec.get("ports") or ()],
    }


def _address(pod: Json) -> str:
    return str((pod.get("status") or {}).get("podIP", ""))


def _endpoint(pod: Json) -> Json:
    metadata = pod["metadata"]
    target = {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
    is_ready = any(
        (each["type"], each["status"]) == ("Ready", "True") for each in pod["status"].get("conditions") or ()
    )
    conditions = {"ready": is_ready, "serving": is_ready, "terminating": False}
    return {"addresses": [_address(pod)], "conditions": conditions, "nodeName": NODE, "targetRef": target}


def _port(port: Json) -> Json:
    target = port.get("targetPort", port["port"])
    number = target if isinstance(target, int) else port["port"]
    return {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
