"""The sidecar injectors of Istio and Linkerd, as the services behind the MutatingWebhookConfigurations of a world."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from playground.trust import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.jsontypes import Json

REVISIONS = {"default": "1.31.0", "1-30": "1.30.3"}
SERVICES = {"default": "istiod", "1-30": "istiod-1-30"}
LINKERD_VERSION = "edge-26.6.3"
LINKERD_ROOT = "root.linkerd.cluster.local"


def injector(revision: str) -> Callable[[Json], Json]:
    """Return istiod's injector of a revision: it adds Envoy to the pod of an AdmissionReview."""

    def inject(review: Json) -> Json:
        pod = review["request"]["object"]
        is_wanted = review["request"]["operation"] == "CREATE" and _istio_wants(pod)
        return _answer(review, _istio_patch(pod, revision) if is_wanted else [])

    return inject


def linkerd_injector(namespace_of: Callable[[str], Json]) -> Callable[[Json], Json]:
    """Return Linkerd's injector; an annotation of the pod decides, else one of its namespace."""

    def inject(review: Json) -> Json:
        request = review["request"]
        pod, namespace = request["object"], namespace_of(request["namespace"])
        said = [(each["metadata"].get("annotations") or {}).get("linkerd.io/inject") for each in (pod, namespace)]
        is_wanted = request["operation"] == "CREATE" and (said[0] or said[1]) in {"enabled", "ingress"}
        return _answer(review, _linkerd_patch(pod, request["namespace"]) if is_wanted else [])

    return inject


def _answer(review: Json, operations: list[Json]) -> Json:
    response: Json = {"uid": review["request"]["uid"], "allowed": True}
    if operations:
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}


def _istio_wants(pod: Json) -> bool:
    metadata, spec = pod["metadata"], pod["spec"]
    words = [(metadata.get(field) or {}).get("sidecar.istio.io/inject") for field in ("labels", "annotations")]
    has_proxy = any(container["name"] == "istio-proxy" for container in spec.get("containers") or ())
    return "false" not in words and not spec.get("hostNetwork") and not has_proxy


def _istio_patch(pod: Json, revision: str) -> list[Json]:
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    name = labels.get("app", metadata["name"])
    asked = (metadata.get("annotations") or {}).get("sidecar.istio.io/proxyImage")
    image = asked or f"registry.istio.io/release/proxyv2:{REVISIONS[revision]}"
    proxy = {
        "name": "istio-proxy",
        "image": image,
        "args": ["proxy", "sidecar", "--domain", f"{metadata['namespace']}.svc.cluster.local"],
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
    }
    status = {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "revision": revision}
    injected = {
        "istio.io/rev": revision,
        "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": name,
        "service.istio.io/canonical-revision": labels.get("version", "latest"),
    }
    annotations = {"sidecar.istio.io/status": json.dumps(status)}
    init = {"name": "istio-init", "image": image, "args": ["istio-iptables", "-p", "15001", "-z", "15006"]}
    return [{"op": "add", "path": "/spec/containers/-", "value": proxy}, *_added(pod, [init], injected, annotations)]


def _linkerd_patch(pod: Json, namespace: str) -> list[Json]:
    """The proxy of 2.20 is a native sidecar: an init container that goes on running."""
    proxy_init = {"name": "linkerd-init", "image": f"cr.l5d.io/linkerd/proxy-init:{LINKERD_VERSION}"}
    proxy = {
        "name": "linkerd-proxy",
        "image": f"cr.l5d.io/linkerd/proxy:{LINKERD_VERSION}",
        "restartPolicy": "Always",
        "ports": [{"containerPort": 4143, "name": "linkerd-proxy"}, {"containerPort": 4191, "name": "linkerd-admin"}],
    }
    owner = (pod["metadata"].get("labels") or {}).get("app", pod["metadata"]["name"])
    labels = {
        "linkerd.io/control-plane-ns": "linkerd",
        "linkerd.io/workload-ns": namespace,
        "linkerd.io/proxy-deployment": owner,
    }
    annotations = {
        "linkerd.io/created-by": f"linkerd/proxy-injector {LINKERD_VERSION}",
        "linkerd.io/inject": "enabled",
        "linkerd.io/proxy-version": LINKERD_VERSION,
        "linkerd.io/trust-root-sha256": fingerprint(LINKERD_ROOT),
    }
    return _added(pod, [proxy_init, proxy], labels, annotations)


def _added(pod: Json, init: list[Json], labels: Json, annotations: Json) -> list[Json]:
    """Return operations that add init containers, labels and annotations to what a pod has of them."""
    metadata = pod["metadata"]
    containers = [*init, *(pod["spec"].get("initContainers") or ())]
    return [
        {"op": "add", "path": "/spec/initContainers", "value": containers},
        {"op": "add", "path": "/metadata/labels", "value": {**(metadata.get("labels") or {}), **labels}},
        {"op": "add", "path": "/metadata/annotations", "value": {**annotations, **(metadata.get("annotations") or {})}},
    ]
