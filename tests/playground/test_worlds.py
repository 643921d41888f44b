"""The worlds are whole: what they say is legal, and they say the same in different words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from playground import corners, parts, south, worlds
from playground.acceptance import ISTIO, LINKERD
from playground.apiserver.admission import AdmissionRequest
from playground.cluster import EmulatedCluster
from playground.istio_rules import istio_validator

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = [
    pytest.param(worlds.eu_west, id="eu-west"),
    pytest.param(worlds.us_east, id="us-east"),
    pytest.param(lambda: [*worlds.eu_west(), *corners.eu_corners()], id="eu-west with corners"),
    pytest.param(lambda: [*worlds.us_east(), *corners.us_corners()], id="us-east with corners"),
]


def _of(objects: list[dict[str, Any]], kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = [obj for obj in objects if obj["kind"] == kind]
    return {(obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in found}


def _request(obj: dict[str, Any]) -> AdmissionRequest:
    return AdmissionRequest(
        operation="CREATE",
        resource=f"{obj['kind'].lower()}s.networking.istio.io",
        namespace=obj["metadata"]["namespace"],
        name=obj["metadata"]["name"],
        object=obj,
        old_object=None,
        user="test",
        dry_run=False,
    )


@pytest.mark.parametrize("world", BOTH)
def test_world__routes_and_rules__istiod_would_take_them(world: Any) -> None:
    objects = [obj for obj in world() if obj["apiVersion"] == worlds.ISTIO]

    assert len(objects) >= 10
    assert [istio_validator(_request(obj)) for obj in objects] == [None] * len(objects)


@pytest.mark.parametrize("world", BOTH)
def test_world__every_subset__is_defined_by_a_destination_rule(world: Any) -> None:
    objects = world()
    rules = _of(objects, "DestinationRule")
    defined = {(rule["spec"]["host"], subset["name"]) for rule in rules.values() for subset in rule["spec"]["subsets"]}

    used = {
        (each["destination"]["host"], each["destination"]["subset"])
        for service in _of(objects, "VirtualService").values()
        for route in service["spec"]["http"]
        for each in route["route"]
        if "subset" in each["destination"]
    }

    assert used
    assert used <= defined


@pytest.mark.parametrize("world", BOTH)
def test_world__loaded__control_plane_services_and_injected_pods(cluster: EmulatedCluster, world: Any) -> None:
    cluster.load(world())
    cluster.settle()

    istiod = cluster.get("Deployment", "istiod", "istio-system")
    assert istiod["metadata"]["labels"]["istio.io/rev"] == "default"
    assert istiod["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.istio.io/release/pilot:1.31.0"
    assert "trustDomain: cluster.local" in cluster.get("ConfigMap", "istio", "istio-system")["data"]["mesh"]
    assert len(cluster.list("Service", "shop")) == 6
    assert len(cluster.list("Service", "payments")) == 2
    assert all(each["endpoints"] for each in cluster.list("EndpointSlice", "shop"))


def test_worlds__same_services__routes_written_differently() -> None:
    eu, us = worlds.eu_west(), worlds.us_east()

    eu_routes, us_routes = _of(eu, "VirtualService"), _of(us, "VirtualService")

    assert _of(eu, "Service").keys() == _of(us, "Service").keys()
    assert eu_routes.keys() == us_routes.keys()
    differing = [name for name, route in eu_routes.items() if route["spec"] != us_routes[name]["spec"]]
    assert len(differing) == len(eu_routes)


def test_checkout__both_worlds__nine_to_one() -> None:
    for world, weights in ((worlds.eu_west(), [90, 10]), (worlds.us_east(), [9, 1])):
        spec = _of(world, "VirtualService")["shop", "checkout"]["spec"]

        assert [each["weight"] for each in spec["http"][-1]["route"]] == weights


def test_many_services__n__three_objects_each_and_a_namespace() -> None:
    objects = worlds.many_services(10)

    assert len(objects) == 31
    assert len({(obj["kind"], obj["metadata"]["name"]) for obj in objects}) == 31


@pytest.fixture
def linkerd() -> Iterator[EmulatedCluster]:
    """ap-south, settled."""
    with EmulatedCluster("ap-south", istio=False, linkerd=True) as cluster:
        cluster.load(south.ap_south())
        cluster.settle()
        yield cluster


def _conditions(route: dict[str, Any], controller: str) -> dict[str, tuple[str, str]]:
    (answer,) = [each for each in route["status"]["parents"] if each["controllerName"] == controller]
    return {each["type"]: (each["status"], each["reason"]) for each in answer["conditions"]}


GOOD = {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}


def test_ap_south__loaded__control_plane_and_injected_pods(linkerd: EmulatedCluster) -> None:
    names = [each["metadata"]["name"] for each in linkerd.list("Deployment", "linkerd")]
    pods = linkerd.list("Pod", "shop") + linkerd.list("Pod", "payments")

    assert names == ["linkerd-destination", "linkerd-identity", "linkerd-proxy-injector"]
    assert (
        "BEGIN CERTIFICATE"
        in linkerd.get("ConfigMap", "linkerd-identity-trust-roots", "linkerd")["data"]["ca-bundle.crt"]
    )
    assert {pod["metadata"]["labels"]["linkerd.io/control-plane-ns"] for pod in pods} == {"linkerd"}
    assert all(pod["spec"]["initContainers"][1]["name"] == "linkerd-proxy" for pod in pods)
    assert all(each["endpoints"] for each in linkerd.list("EndpointSlice", "shop"))
    assert {kind.kind for kind in linkerd.server.core.registry if kind.group == "networking.istio.io"} == set()


def test_ap_south__routes__same_services_and_accepted_without_generation(linkerd: EmulatedCluster) -> None:
    istio_services = {
        (s["metadata"]["namespace"], s["metadata"]["name"]) for s in worlds.eu_west() if s["kind"] == "Service"
    }
    here = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in linkerd.list("Service")}
    checkout = linkerd.get("HTTPRoute.gateway.networking.k8s.io", "checkout", "shop")
    search = linkerd.get("HTTPRoute.policy.linkerd.io", "search", "shop")

    assert istio_services - {("istio-system", "istiod")} <= here
    assert [(each["name"], each["weight"]) for each in checkout["spec"]["rules"][0]["backendRefs"]] == [
        ("checkout-v1", 90),
        ("checkout-v2", 10),
    ]
    assert _conditions(checkout, LINKERD.name) == _conditions(search, LINKERD.name) == GOOD
    assert "observedGeneration" not in checkout["status"]["parents"][0]["conditions"][0]
    (profile,) = linkerd.list("ServiceProfile")
    assert profile["metadata"]["name"] == "payments.payments.svc.cluster.local"
    routed = {each["metadata"]["name"] for each in linkerd.list("HTTPRoute.gateway.networking.k8s.io")} | {"search"}
    assert not routed & {"catalog", "cart", "frontend"}


def test_ap_south__unknown_backend__refused_until_it_is_there(linkerd: EmulatedCluster) -> None:
    kind = "HTTPRoute.gateway.networking.k8s.io"

    linkerd.load([south.http_route("cart", [south.split({"cart-v9": 1})])])
    linkerd.settle()
    before = _conditions(linkerd.get(kind, "cart", "shop"), LINKERD.name)
    linkerd.load([parts.service("shop", "cart-v9", app="cart", version="v9")])
    linkerd.settle()

    assert before == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("False", "BackendNotFound")}
    assert _conditions(linkerd.get(kind, "cart", "shop"), LINKERD.name) == GOOD


def test_ap_south__grpc_route_on_the_same_parent__http_route_loses(linkerd: EmulatedCluster) -> None:
    rule = {"backendRefs": [{"name": "checkout-v1", "port": 8080}]}

    linkerd.load([south.http_route("checkout", [rule], kind="GRPCRoute")])
    linkerd.settle()

    checkout = linkerd.get("HTTPRoute.gateway.networking.k8s.io", "checkout", "shop")
    assert _conditions(checkout, LINKERD.name)["Accepted"] == ("False", "RouteReasonConflicted")
    grpc = linkerd.get("GRPCRoute", "checkout", "shop")
    assert _conditions(grpc, LINKERD.name) == GOOD


def test_corners__us_east__second_revision_injects_by_its_tag(cluster: EmulatedCluster) -> None:
    cluster.load([*worlds.us_east(), *corners.us_corners()])
    cluster.settle()

    images = {
        name: {
            c["image"]
            for pod in cluster.list("Pod", name)
            for c in pod["spec"]["containers"]
            if c["name"] == "istio-proxy"
        }
        for name in ("shop", "media")
    }
    tag = cluster.get("MutatingWebhookConfiguration", "istio-revision-tag-stable")
    assert images == {
        "shop": {"registry.istio.io/release/proxyv2:1.31.0"},
        "media": {"registry.istio.io/release/proxyv2:1.30.3"},
    }
    assert tag["metadata"]["labels"]["istio.io/rev"] == "1-30"
    assert {each["metadata"]["labels"]["istio.io/rev"] for each in cluster.list("Deployment", "istio-system")} == {
        "default",
        "1-30",
    }


def test_corners__eu_west__each_case_is_there(cluster: EmulatedCluster) -> None:
    cluster.load([*worlds.eu_west(), *corners.eu_corners()])
    cluster.settle()

    encoder = cluster.get("HTTPRoute", "encoder", "media")
    (ready,) = [s for s in cluster.list("EndpointSlice", "media") if s["metadata"]["name"].startswith("live-")]
    rivals = [vs for vs in cluster.list("VirtualService", "media") if vs["spec"]["hosts"] == ["archive"]]
    assert _conditions(encoder, ISTIO.name) == GOOD
    assert encoder["status"]["parents"][0]["conditions"][0]["observedGeneration"] == 1
    assert len(ready["endpoints"]) == 1
    assert "readyReplicas" not in cluster.get("Deployment", "live-v2", "media")["status"]
    oldest = min(rivals, key=lambda vs: vs["metadata"]["creationTimestamp"])
    assert (len(rivals), oldest["metadata"]["name"]) == (2, "archive-first")
    assert (
        cluster.get("VirtualService", "thumbs", "media")["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    )
    assert cluster.get("VirtualService", "captions", "media")["metadata"]["ownerReferences"][0]["kind"] == "Canary"
    assert not any(vs["spec"]["hosts"] == ["player"] for vs in cluster.list("VirtualService", "media"))
