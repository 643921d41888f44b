"""Controllers: Deployments become pods, Services endpoints, and what is gone takes its own along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from playground import worlds
from playground.cluster import EmulatedCluster
from tests.contract.objects import config_map, namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.api import Api


def _deployment(replicas: int = 2, image: str = "example.com/web:1") -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def _service() -> dict[str, Any]:
    spec = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }


def _settled(cluster: EmulatedCluster, *objects: dict[str, Any]) -> None:
    cluster.load(objects)
    cluster.settle()


def _addresses(cluster: EmulatedCluster) -> set[str]:
    (found,) = cluster.list("EndpointSlice", "default")
    return {address for endpoint in found["endpoints"] for address in endpoint["addresses"]}


def test_deployment__made__ready_pods_behind_the_service(cluster: EmulatedCluster) -> None:
    _settled(cluster, _deployment(), _service())

    pods = cluster.list("Pod", "default")
    assert len(pods) == 2
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert _addresses(cluster) == {pod["status"]["podIP"] for pod in pods}
    assert cluster.list("EndpointSlice", "default")[0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    status = cluster.get("Deployment", "web", "default")["status"]
    assert (status["readyReplicas"], status["observedGeneration"]) == (2, 1)


@pytest.mark.parametrize("wanted", [4, 1])
def test_deployment__scaled__as_many_pods_and_endpoints(cluster: EmulatedCluster, wanted: int) -> None:
    _settled(cluster, _deployment(), _service())

    cluster.edit("Deployment", "web", "default", lambda obj: obj["spec"].update(replicas=wanted))
    cluster.settle()

    assert len(cluster.list("Pod", "default")) == wanted
    assert len(_addresses(cluster)) == wanted


def test_deployment__new_image__pods_are_replaced(cluster: EmulatedCluster) -> None:
    _settled(cluster, _deployment())

    def change(obj: dict[str, Any]) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/web:2"

    cluster.edit("Deployment", "web", "default", change)
    cluster.settle()

    images = [pod["spec"]["containers"][0]["image"] for pod in cluster.list("Pod", "default")]
    assert images == ["example.com/web:2"] * 2
    assert len(cluster.list("ReplicaSet", "default")) == 1


def test_deployment__deleted__pods_go_with_it(cluster: EmulatedCluster) -> None:
    _settled(cluster, _deployment(), _service())

    cluster.delete("Deployment", "web", "default")
    cluster.settle()

    assert cluster.list("Pod", "default") == []
    assert cluster.list("ReplicaSet", "default") == []
    assert _addresses(cluster) == set()


def test_pod__deleted__another_takes_its_place(cluster: EmulatedCluster) -> None:
    _settled(cluster, _deployment(1))
    (old,) = cluster.list("Pod", "default")

    cluster.delete("Pod", old["metadata"]["name"], "default")
    cluster.settle()

    (new,) = cluster.list("Pod", "default")
    assert new["metadata"]["uid"] != old["metadata"]["uid"]


def test_service__deleted__endpoints_go_with_it(cluster: EmulatedCluster) -> None:
    _settled(cluster, _deployment(), _service())

    cluster.delete("Service", "web", "default")
    cluster.settle()

    assert cluster.list("EndpointSlice", "default") == []


def test_namespace__made__has_its_service_account(cluster: EmulatedCluster) -> None:
    _settled(cluster, namespace("shop"))

    assert cluster.get("ServiceAccount", "default", "shop")


def test_namespace__deleted__everything_in_it_goes(cluster: EmulatedCluster) -> None:
    inside = config_map("one")
    inside["metadata"]["namespace"] = "shop"
    _settled(cluster, namespace("shop"), inside)

    cluster.delete("Namespace", "shop")
    cluster.settle()

    assert "shop" not in [each["metadata"]["name"] for each in cluster.list("Namespace")]
    assert cluster.list("ConfigMap", "shop") == []


def test_namespace__held_by_a_finalizer__stays_until_it_is_released(cluster: EmulatedCluster, api: Api) -> None:
    inside = config_map("one")
    inside["metadata"] |= {"namespace": "shop", "finalizers": ["example.com/hold"]}
    _settled(cluster, namespace("shop"), inside)
    cluster.delete("Namespace", "shop")

    phase = cluster.get("Namespace", "shop")["status"]["phase"]
    api.patch("/api/v1/namespaces/shop/configmaps/one", [{"op": "remove", "path": "/metadata/finalizers"}])
    cluster.settle()

    assert phase == "Terminating"
    assert "shop" not in [each["metadata"]["name"] for each in cluster.list("Namespace")]


def test_injector__namespace_labelled__pods_get_the_proxy_and_others_not(cluster: EmulatedCluster) -> None:
    _settled(cluster, *worlds.eu_west())

    shop, system = cluster.list("Pod", "shop"), cluster.list("Pod", "istio-system")
    names = {tuple(container["name"] for container in pod["spec"]["containers"]) for pod in shop}
    assert all(containers[1:] == ("istio-proxy",) for containers in names)
    assert [container["name"] for container in system[0]["spec"]["containers"]] == ["discovery"]
    assert all("sidecar.istio.io/status" in pod["metadata"]["annotations"] for pod in shop)


def test_injector__out_of_reach__pods_come_when_it_is_back(cluster: EmulatedCluster) -> None:
    services = cluster.server.core.admission.services
    kept = services.pop(("istio-system", "istiod"))
    cluster.load([*worlds.eu_west()])

    services["istio-system", "istiod"] = kept
    cluster.settle()

    assert len(cluster.list("Pod", "shop")) > 0


def test_controllers__switched_off__nothing_happens_by_itself(sign_in: Callable[[str], Api]) -> None:
    with EmulatedCluster("bare", controllers=False) as cluster:
        cluster.load([_deployment(), _service()])
        cluster.settle()

        assert cluster.list("Pod", "default") == []
        assert sign_in(cluster.admin_kubeconfig()).get("/api/v1/pods").body["items"] == []
