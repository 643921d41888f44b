"""The kinds of Kubernetes that discovery reads: workloads with their pods, endpoints, webhooks, ConfigMaps."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from lab.waiting import until
from tests.contract.objects import config_map

if TYPE_CHECKING:
    from tests.contract.api import Answer, Api

LABELS = {"app": "web"}


def _template(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": LABELS},
        "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}], **spec},
    }


def _workload(kind: str, **spec: Any) -> dict[str, Any]:
    body = {"selector": {"matchLabels": LABELS}, "template": _template(), **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": body}


def _path(place: str, plural: str) -> str:
    return f"/apis/apps/v1/namespaces/{place}/{plural}"


def _wait_for(api: Api, path: str, **wanted: int) -> dict[str, Any]:
    def status() -> dict[str, Any]:
        return dict(api.get(path).body.get("status") or {})

    until(lambda: wanted.items() <= status().items(), seconds=60, what=f"{wanted} of {path}")
    return status()


def _pods(api: Api, place: str) -> list[Any]:
    return list(api.get(f"/api/v1/namespaces/{place}/pods?labelSelector=app%3Dweb").body["items"])


def test_stateful_set__made__numbered_pods_that_are_ready(api: Api, place: str) -> None:
    api.create(_path(place, "statefulsets"), _workload("StatefulSet", replicas=2, serviceName="web"))

    status = _wait_for(api, f"{_path(place, 'statefulsets')}/web", readyReplicas=2)

    assert (status["replicas"], status["observedGeneration"]) == (2, 1)
    pods = _pods(api, place)
    assert sorted(pod["metadata"]["name"] for pod in pods) == ["web-0", "web-1"]
    assert {pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods} == {"StatefulSet"}


def test_pods__chosen_by_their_own_fields__found(api: Api, place: str) -> None:
    api.create(_path(place, "statefulsets"), _workload("StatefulSet", replicas=2, serviceName="web"))
    _wait_for(api, f"{_path(place, 'statefulsets')}/web", readyReplicas=2)
    path = f"/api/v1/namespaces/{place}/pods?fieldSelector="
    (first, _) = sorted(_pods(api, place), key=lambda pod: str(pod["metadata"]["name"]))

    def chosen(selector: str) -> list[str]:
        return sorted(api.get(path + quote(selector)).names)

    assert chosen("status.phase=Running") == ["web-0", "web-1"]
    assert chosen("status.phase!=Running") == []
    assert chosen(f"status.podIP={first['status']['podIP']},spec.restartPolicy=Always") == ["web-0"]
    assert chosen(f"spec.nodeName={first['spec']['nodeName']},metadata.name!=web-0") == ["web-1"]
    status, reason, message = api.get(path + quote("status.qosClass=Burstable")).refusal()
    assert (status, reason) == (400, "BadRequest")
    assert "field label not supported: status.qosClass" in message


def test_daemon_set__made__a_ready_pod_on_the_node(api: Api, place: str) -> None:
    api.create(_path(place, "daemonsets"), _workload("DaemonSet"))

    status = _wait_for(api, f"{_path(place, 'daemonsets')}/web", numberReady=1)

    assert (status["desiredNumberScheduled"], status["numberAvailable"]) == (1, 1)
    assert [pod["metadata"]["ownerReferences"][0]["kind"] for pod in _pods(api, place)] == ["DaemonSet"]


def test_deployment__no_node_for_its_pods__none_ready_and_no_endpoints(api: Api, place: str) -> None:
    stuck = _workload("Deployment", replicas=1, template=_template(nodeSelector={"example.com/gpu": "true"}))
    ports = [{"name": "http", "port": 80}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": LABELS, "ports": ports},
    }

    api.create(f"/api/v1/namespaces/{place}/services", service)
    api.create(_path(place, "deployments"), stuck)
    status = _wait_for(api, f"{_path(place, 'deployments')}/web", unavailableReplicas=1)

    assert "readyReplicas" not in status
    available = {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}["Available"]
    assert available == ("False", "MinimumReplicasUnavailable")
    until(lambda: bool(_pods(api, place)), seconds=30, what="the pod")
    (pod,) = _pods(api, place)
    assert (pod["status"]["phase"], pod["status"].get("podIP")) == ("Pending", None)
    slices = api.get(f"/apis/discovery.k8s.io/v1/namespaces/{place}/endpointslices").body["items"]
    assert [endpoint for each in slices for endpoint in each.get("endpoints") or ()] == []


def test_endpoint_slice__made_by_hand__kept_and_found_by_its_service(api: Api, place: str) -> None:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{place}/endpointslices"
    endpoints = [{"addresses": ["10.99.0.7"], "conditions": {"ready": False}}]
    obj = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }

    made = api.create(path, obj)
    found = api.get(f"{path}?labelSelector=kubernetes.io%2Fservice-name%3Dweb")

    assert (made.status, made.generation) == (201, 1)
    assert [(each["addressType"], each["endpoints"]) for each in found.body["items"]] == [("IPv4", endpoints)]


def _webhook(name: str) -> dict[str, Any]:
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    hook = {
        "name": "rev.namespace.sidecar-injector.istio.io",
        "clientConfig": {"service": {"name": "istiod", "namespace": "nowhere", "path": "/inject", "port": 443}},
        "rules": [rule],
        "namespaceSelector": {"matchExpressions": [{"key": "istio.io/rev", "operator": "In", "values": [name]}]},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    labels = {"istio.io/rev": "1-30", "istio.io/tag": name}
    return {**head, "metadata": {"name": f"istio-revision-tag-{name}", "labels": labels}, "webhooks": [hook]}


@pytest.fixture
def tag(api: Api) -> Any:
    """A webhook of a revision's tag, of its own."""
    name = f"t{secrets.token_hex(4)}"
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    yield api.create(path, _webhook(name))
    api.delete(f"{path}/istio-revision-tag-{name}")


def test_mutating_webhook_configuration__made__selector_kept_and_defaults_filled_in(tag: Answer) -> None:
    (hook,) = tag.body["webhooks"]

    assert (tag.status, tag.generation) == (201, 1)
    assert hook["namespaceSelector"]["matchExpressions"][0]["operator"] == "In"
    filled = ("failurePolicy", "matchPolicy", "objectSelector", "reinvocationPolicy", "timeoutSeconds")
    assert [hook[field] for field in filled] == ["Fail", "Equivalent", {}, "Never", 10]
    assert hook["rules"][0]["scope"] == "*"


def test_mutating_webhook_configuration__by_label__found(api: Api, tag: Answer) -> None:
    labels = tag.body["metadata"]["labels"]
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

    found = api.get(f"{path}?labelSelector=istio.io%2Ftag%3D{labels['istio.io/tag']}")

    assert [(each["metadata"]["labels"], each["webhooks"]) for each in found.body["items"]] == [
        (labels, tag.body["webhooks"])
    ]


def test_config_map__made_changed_deleted__data_and_immutable(api: Api, config_maps: str) -> None:
    api.create(config_maps, {**config_map("mesh", mesh="trustDomain: cluster.local\n"), "immutable": True})

    refused = api.patch(f"{config_maps}/mesh", [{"op": "replace", "path": "/data/mesh", "value": "x"}])

    assert refused.refusal()[:2] == (422, "Invalid")
    assert api.get(f"{config_maps}/mesh").body["data"] == {"mesh": "trustDomain: cluster.local\n"}
