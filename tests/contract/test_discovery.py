"""What a server says of itself, raw and through the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from tests.contract.objects import GROUP, config_map, namespace, splitting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.api import Api
    from tests.contract.conftest import Server


def test_version__asked__git_version_of_this_line(api: Api) -> None:
    found = api.get("/version").body

    assert found["gitVersion"].startswith("v1.")
    assert (found["major"], found["minor"]) == ("1", found["gitVersion"].split(".")[1])


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/healthz"])
def test_health__asked__ok(api: Api, path: str) -> None:
    found = api.get(path)

    assert (found.status, found.body) == (200, "ok")


def test_discovery__groups__custom_and_built_in_ones(api: Api) -> None:
    legacy, groups = api.get("/api"), api.get("/apis")

    assert (legacy.body["kind"], legacy.body["versions"]) == ("APIVersions", ["v1"])
    assert groups.body["kind"] == "APIGroupList"
    found = {group["name"]: group for group in groups.body["groups"]}
    assert {"apps", "rbac.authorization.k8s.io", "networking.istio.io", GROUP} <= set(found)
    assert found[GROUP]["versions"] == [{"groupVersion": f"{GROUP}/v1", "version": "v1"}]
    assert found["networking.istio.io"]["preferredVersion"]["version"] == "v1"


def test_discovery__one_group_version__kinds_verbs_and_subresources(api: Api) -> None:
    found = api.get(f"/apis/{GROUP}/v1").body

    kinds = {kind["name"]: kind for kind in found["resources"]}
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", f"{GROUP}/v1")
    widgets = kinds["widgets"]
    assert (widgets["kind"], widgets["namespaced"], widgets["singularName"]) == ("Widget", True, "widget")
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    assert sorted(widgets["verbs"]) == verbs
    assert sorted(kinds["widgets/status"]["verbs"]) == ["get", "patch", "update"]


def test_discovery__core__kinds_the_product_reads(api: Api) -> None:
    kinds = {kind["name"]: kind for kind in api.get("/api/v1").body["resources"]}

    assert kinds["namespaces"]["namespaced"] is False
    assert {"services", "pods", "configmaps", "secrets", "nodes", "serviceaccounts", "serviceaccounts/token"} <= set(
        kinds
    )


def test_discovery__unknown_group__not_found(api: Api) -> None:
    assert api.get("/apis/nothing.example.com/v1").status == 404


def test_kube_system__from_the_start__has_a_uid(api: Api) -> None:
    found = api.get("/api/v1/namespaces/kube-system")

    assert found.status == 200
    assert len(found.uid) == 36
    assert found.body["metadata"]["labels"]["kubernetes.io/metadata.name"] == "kube-system"
    assert found.body["status"]["phase"] == "Active"


@pytest.fixture
def official(server: Server) -> Iterator[client.ApiClient]:
    """The official client, signed in as an administrator."""
    loaded = yaml.safe_load(server.cluster.admin_kubeconfig())
    with config.new_client_from_config_dict(loaded) as api:
        yield api


def test_official_client__core_objects__typed(official: client.ApiClient, place: str) -> None:
    core = client.CoreV1Api(official)

    core.create_namespaced_config_map(place, config_map("one", a="1"))
    found = core.read_namespaced_config_map("one", place)

    assert found.data == {"a": "1"}
    assert place in [each.metadata.name for each in core.list_namespace().items]


def test_official_client__custom_objects__json_patch_by_list(official: client.ApiClient, place: str) -> None:
    custom = client.CustomObjectsApi(official)
    kind: tuple[Any, ...] = ("networking.istio.io", "v1", place, "virtualservices")
    custom.create_namespaced_custom_object(*kind, splitting("checkout", v1=90, v2=10))

    operations = [
        {"op": "test", "path": "/spec/http/0/route/0/weight", "value": 90},
        {"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 80},
    ]
    options = {
        "field_manager": "meshui",
        "_content_type": "application/json-patch+json",
    }  # its own choice is merge patch
    patched = custom.patch_namespaced_custom_object(*kind, "checkout", operations, **options)

    assert patched["spec"]["http"][0]["route"][0]["weight"] == 80
    with pytest.raises(ApiException) as refused:
        custom.patch_namespaced_custom_object(*kind, "checkout", operations, **options)
    assert refused.value.status == 422


def test_official_client__deployment_and_service__ready_pods_and_endpoints(
    server: Server, api: Api, place: str
) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service["spec"] = {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}

    assert api.create(f"/apis/apps/v1/namespaces/{place}/deployments", deployment).status == 201
    assert api.create(f"/api/v1/namespaces/{place}/services", service).status == 201

    server.wait_for_endpoints(api, place, "web", 2)
    pods = api.get(f"/api/v1/namespaces/{place}/pods?labelSelector=app%3Dweb").body["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    running, others = (
        f"/api/v1/namespaces/{place}/pods?fieldSelector=status.phase{sign}Running" for sign in ("=", "!=")
    )
    assert (len(api.get(running).names), api.get(others).names) == (2, [])
    assert {pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods} == {"ReplicaSet"}
    assert all(pod["metadata"]["labels"]["pod-template-hash"] for pod in pods)


def test_namespace__made__active_and_labelled(api: Api) -> None:
    made = api.create("/api/v1/namespaces?dryRun=All", namespace("shop-dry", team="a"))

    assert made.status == 201
    assert made.body["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop-dry", "team": "a"}
    assert made.body["status"] == {"phase": "Active"}
    assert made.body["spec"] == {"finalizers": ["kubernetes"]}
