"""The two worlds are whole: what they say is legal Istio, and they say the same in different words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from playground import worlds
from playground.apiserver.admission import AdmissionRequest
from playground.istio_rules import istio_validator

if TYPE_CHECKING:
    from playground.cluster import EmulatedCluster

BOTH = [pytest.param(worlds.eu_west, id="eu-west"), pytest.param(worlds.us_east, id="us-east")]


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

    (istiod,) = cluster.list("Deployment", "istio-system")
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
