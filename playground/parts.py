"""Plain objects that every world is made of: namespaces, Services, Deployments, and the shop that all clusters run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playground.apiserver.jsontypes import Json

TEAMS = {"shop": "storefront", "payments": "billing", "media": "media"}
VERSIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("shop", "frontend"): ("v1",),
    ("shop", "checkout"): ("v1", "v2"),
    ("shop", "cart"): ("v1",),
    ("shop", "catalog"): ("v1", "v2"),
    ("shop", "search"): ("v1", "v2"),
    ("shop", "recommendations"): ("v1", "v2", "v3"),
    ("payments", "payments"): ("v1", "v2"),
    ("payments", "ledger"): ("v1",),
}


def thing(api_version: str, kind: str, namespace: str, name: str, **metadata: object) -> Json:
    """Return the head of an object; `namespace` is empty for what has none."""
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **where, **metadata}}


def namespace(name: str, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Json:
    """Return a Namespace."""
    more = {"annotations": dict(annotations)} if annotations else {}
    return thing("v1", "Namespace", "", name, labels=dict(labels), **more)


def config_map(where: str, name: str, data: Mapping[str, str], **metadata: object) -> Json:
    """Return a ConfigMap."""
    return {**thing("v1", "ConfigMap", where, name, **metadata), "data": dict(data)}


def service(
    where: str, name: str, *, app: str = "", version: str = "", port: int = 8080, protocol: str = "http"
) -> Json:
    """Return the Service of all versions of an app, or of one."""
    app = app or name
    labels = {"app": app, "team": TEAMS.get(where, "bulk")} | ({"version": version} if version else {})
    selector = {"app": app} | ({"version": version} if version else {})
    ports = [{"name": protocol, "port": port, "targetPort": port, "appProtocol": protocol}]
    return {**thing("v1", "Service", where, name, labels=labels), "spec": {"selector": selector, "ports": ports}}


def deployment(where: str, app: str, version: str, replicas: int, **pod: object) -> Json:
    """Return the Deployment of one version of an app; `pod` adds to the spec of its pods."""
    labels = {"app": app, "version": version}
    container = {"name": app, "image": f"registry.example.com/{where}/{app}:{version}"}
    spec = {"containers": [{**container, "ports": [{"containerPort": 8080}]}], **pod}
    return {
        **thing("apps/v1", "Deployment", where, f"{app}-{version}", labels=labels),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def system_workload(where: str, name: str, labels: Mapping[str, str], pod: Json, kind: str = "Deployment") -> Json:
    """Return a Deployment or DaemonSet of a control plane; its pods carry all of its labels."""
    replicas = {"replicas": 1} if kind == "Deployment" else {}
    template = {"metadata": {"labels": dict(labels)}, **pod}
    spec = {**replicas, "selector": {"matchLabels": dict(labels)}, "template": template}
    return {**thing("apps/v1", kind, where, name, labels=dict(labels)), "spec": spec}


def shop(*, replicas: int) -> list[Json]:
    """Return the Services and Deployments of the shop, which are the same in every cluster."""
    objects: list[Json] = []
    for (where, app), versions in VERSIONS.items():
        objects.append(service(where, app, protocol="grpc" if app == "ledger" else "http"))
        objects += [deployment(where, app, version, replicas) for version in versions]
    return objects


def injector_webhook(name: str, called: str, backed_by: tuple[str, str], chosen: Json, **labels: str) -> Json:
    """Return the MutatingWebhookConfiguration that asks a Service about new pods of the chosen namespaces."""
    where, behind = backed_by
    client = {"service": {"name": behind, "namespace": where, "path": "/inject", "port": 443}}
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    webhook = {
        "name": called,
        "clientConfig": client,
        "rules": [rule],
        "namespaceSelector": chosen,
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    head = thing("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", name, labels=dict(labels))
    return {**head, "webhooks": [webhook]}
