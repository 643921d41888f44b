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


def new_pod(owner: Json) -> Json:
    """Return a pod of a ReplicaSet, not yet admitted."""
    template = clone(owner["spec"]["template"])
    name = owner["metadata"]["name"] + "-" + "".join(secrets.choice(SUFFIX) for _ in range(5))
    metadata = {**template["metadata"], "name": name, "namespace": owner["metadata"]["namespace"]}
    metadata["ownerReferences"] = [_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**template["spec"], "nodeName": NODE}}


def pod_status(pod: Json) -> Json:
    """Return the status of a pod that runs and is ready."""
    now = timestamp()
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
    """Return the status of a Deployment whose pods are all ready."""
    replicas = deployment["spec"].get("replicas", 1)
    counts = {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
    old = (deployment.get("status") or {}).get("conditions")
    available = [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}]
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **counts,
        "updatedReplicas": replicas,
        "conditions": old or [{**each, "lastTransitionTime": timestamp()} for each in available],
    }


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
    conditions = {"ready": True, "serving": True, "terminating": False}
    return {"addresses": [_address(pod)], "conditions": conditions, "nodeName": NODE, "targetRef": target}


def _port(port: Json) -> Json:
    target = port.get("targetPort", port["port"])
    number = target if isinstance(target, int) else port["port"]
    return {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
