"""Native objects in numbers, seeded: the bytes that an API server written in Go would send, in its order of fields.

A Service has 2.3 KB, a VirtualService 3.3 KB, a Deployment the 14 KB of a Pod with a sidecar (its template is one); a
third of each is managedFields. Every object has random parts of its own, so that it does not compress better than
real ones. `moved`: how often what decides something was changed; `noted`: how often somebody else's annotation was.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Body = dict[str, Any]
NAMESPACES: Final = 200
FIRST_VERSION: Final = 1_000
VERSION_GAP: Final = 3
MADE_AT: Final = "2026-01-05T08:30:00Z"
VARIABLES: Final = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind as it is served: its collection, and how many managedFields an object has to reach its size."""

    plural: str
    name: str
    group: str
    make: Callable[[int, int, random.Random], Body]
    fields: int
    is_applied: bool = True

    @property
    def api_version(self) -> str:
        """`networking.istio.io/v1`, or `v1` for the core group."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def path(self) -> str:
        """The URL path of the collection."""
        return f"/apis/{self.api_version}/{self.plural}" if self.group else f"/api/v1/{self.plural}"


def namespace_of(number: int) -> str:
    """One of 200 namespaces."""
    return f"team-{number % NAMESPACES:03d}"


def name_of(number: int) -> str:
    """The name of the object `number`, of every kind."""
    return f"service-{number:06d}"


def uid_of(kind: Kind, number: int) -> str:
    """A hash of the name: the same in each run."""
    digest = hashlib.sha256(f"{kind.plural}/{name_of(number)}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def weight_of(number: int, moved: int) -> int:
    """Per cent of the second version; also the port of a Service above 8000 and the replicas of a Deployment less 1."""
    return (number + moved) % 100


def encoded(
    kind: Kind, number: int, *, seed: int, moved: int = 0, noted: int = 0, version: int = 0
) -> tuple[bytes, bytes]:
    """An item of a list, and the same as metadata alone."""
    chance = random.Random(f"{seed}/{kind.plural}/{number}")  # noqa: S311 - a seeded draw, nothing to guard
    body = kind.make(number, moved, chance)
    metadata = _metadata(kind, number, chance, body)
    metadata["generation"] = 1 + moved
    if noted:
        metadata["annotations"]["example.com/seen"] = str(noted)
    metadata["resourceVersion"] = str(version or FIRST_VERSION + number * VERSION_GAP)
    whole = {"metadata": metadata, **body}
    if kind.group == "networking.istio.io":
        whole = {"apiVersion": kind.api_version, "kind": kind.name, **whole}
    return _bytes(whole), _bytes({"metadata": metadata})


def _bytes(body: Body) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _metadata(kind: Kind, number: int, chance: random.Random, body: Body) -> Body:
    name, namespace = name_of(number), namespace_of(number)
    labels = {
        "app": name, "app.kubernetes.io/instance": name, "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": name, "helm.sh/chart": "service-4.12.1", "team": namespace,
    }  # fmt: skip
    annotations = {
        "checksum/config": _random(chance), "meta.helm.sh/release-name": name,
        "meta.helm.sh/release-namespace": namespace,
    }  # fmt: skip
    if kind.is_applied:
        spec = json.dumps({"kind": kind.name, "spec": body["spec"]}, separators=(",", ":"))
        annotations["kubectl.kubernetes.io/last-applied-configuration"] = spec
    return {
        "name": name, "namespace": namespace, "uid": uid_of(kind, number), "resourceVersion": "",
        "generation": 1, "creationTimestamp": MADE_AT, "labels": labels,
        "annotations": annotations, "managedFields": [_managed(kind)],
    }  # fmt: skip


def _managed(kind: Kind) -> Body:
    fields: Body = {f"f:field{number:02d}": {".": {}, "f:value": {}} for number in range(kind.fields)}
    return {
        "manager": "helm", "operation": "Update", "apiVersion": kind.api_version, "time": MADE_AT,
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}}}, "f:spec": fields},
    }  # fmt: skip


def _random(chance: random.Random) -> str:
    return chance.randbytes(8).hex()


def _service(number: int, moved: int, _: random.Random) -> Body:
    ports = [
        {"name": "http", "protocol": "TCP", "port": 8000 + weight_of(number, moved), "targetPort": "http"},
        {"name": "metrics", "protocol": "TCP", "port": 9090, "targetPort": "metrics"},
    ]
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    spec = {
        "ports": ports, "selector": {"app": name_of(number)}, "clusterIP": address, "clusterIPs": [address],
        "type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    }  # fmt: skip
    return {"spec": spec, "status": {"loadBalancer": {}}}


def _virtual_service(number: int, moved: int, _: random.Random) -> Body:
    host, weight = f"{name_of(number)}.{namespace_of(number)}.svc.cluster.local", weight_of(number, moved)

    def to(subset: str, **more: int) -> Body:
        return {"destination": {"host": host, "subset": subset, "port": {"number": 8080}}, **more}

    careful = {"timeout": "10s", "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "gateway-error,reset"}}
    canary = {"name": "canary", "match": [{"headers": {"x-canary": {"exact": "always"}}}], "route": [to("v2")]}
    paths = [{"uri": {"prefix": f"/api/{name_of(number)}/"}}, {"uri": {"prefix": "/health/"}}]
    shared = {"name": "shared", "match": paths, "route": [to("v1", weight=100 - weight), to("v2", weight=weight)]}
    return {"spec": {"hosts": [host], "http": [canary | careful, shared | careful]}}


def _container(name: str, chance: random.Random) -> Body:
    env = [{"name": f"SETTING_{number:02d}", "value": f"value-{_random(chance)}"} for number in range(VARIABLES)]
    probe = {"httpGet": {"path": "/healthz", "port": 15021, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 3}
    mounts = [{"name": f"volume-{number}", "mountPath": f"/var/run/part-{number}"} for number in range(7)]
    return {
        "name": name, "image": f"registry.example.com/team/{name}:1.4.2@sha256:{_random(chance) * 4}",
        "args": ["serve", "--port", "8080", "--log-level", "info"], "env": env,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": mounts, "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe,
        "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent",
        "securityContext": {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}, "privileged": False},
    }  # fmt: skip


def _deployment(number: int, moved: int, chance: random.Random) -> Body:
    app = {"app": name_of(number)}
    volumes = [{"name": f"volume-{n}", "configMap": {"name": f"part-{n}", "defaultMode": 420}} for n in range(7)]
    pod = {
        "initContainers": [_container("prepare", chance)],
        "containers": [_container("web", chance), _container("proxy", chance)],
        "volumes": volumes, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "serviceAccountName": "web",
    }  # fmt: skip
    replicas = 1 + weight_of(number, moved)
    meta = {"labels": app | {"version": "v1"}, "annotations": {"checksum/config": _random(chance)}}
    spec = {"replicas": replicas, "selector": {"matchLabels": app}, "template": {"metadata": meta, "spec": pod}}
    condition = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "It has them."}
    status = {"observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas, "conditions": [condition]}
    return {"spec": spec, "status": status}


KINDS: Final = {
    kind.plural: kind
    for kind in (
        Kind("services", "Service", "", _service, 18),
        Kind("virtualservices", "VirtualService", "networking.istio.io", _virtual_service, 18),
        Kind("deployments", "Deployment", "apps", _deployment, 155, is_applied=False),
    )
}
