"""istiod's sidecar injector, as the service behind the MutatingWebhookConfiguration of a world."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json

PROXY_IMAGE = "registry.istio.io/release/proxyv2:1.31.0"
REVISION = "default"


def inject(review: Json) -> Json:
    """Answer an AdmissionReview of a pod with the patch that adds the proxy."""
    request = review["request"]
    response: Json = {"uid": request["uid"], "allowed": True}
    pod = request["object"]
    if request["operation"] == "CREATE" and _wants_proxy(pod):
        patch = json.dumps(_patch(pod)).encode()
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}


def _wants_proxy(pod: Json) -> bool:
    metadata, spec = pod["metadata"], pod["spec"]
    words = [(metadata.get(field) or {}).get("sidecar.istio.io/inject") for field in ("labels", "annotations")]
    has_proxy = any(container["name"] == "istio-proxy" for container in spec.get("containers") or ())
    return "false" not in words and not spec.get("hostNetwork") and not has_proxy


def _patch(pod: Json) -> list[Json]:
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    name = labels.get("app", metadata["name"])
    proxy = {
        "name": "istio-proxy",
        "image": PROXY_IMAGE,
        "args": ["proxy", "sidecar", "--domain", f"{metadata['namespace']}.svc.cluster.local"],
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
    }
    status = {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "revision": REVISION}
    injected = {
        "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": name,
        "service.istio.io/canonical-revision": labels.get("version", "latest"),
    }
    annotations = {"sidecar.istio.io/status": json.dumps(status), **(metadata.get("annotations") or {})}
    init = {"name": "istio-init", "image": PROXY_IMAGE, "args": ["istio-iptables", "-p", "15001", "-z", "15006"]}
    return [
        {"op": "add", "path": "/spec/containers/-", "value": proxy},
        {"op": "add", "path": "/spec/initContainers", "value": [init, *(pod["spec"].get("initContainers") or ())]},
        {"op": "add", "path": "/metadata/labels", "value": {**labels, **injected}},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]
