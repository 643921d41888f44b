"""HTTPRoutes and ServiceProfiles as Envoy's routes: what Linkerd, or Istio, would do with them."""

from __future__ import annotations

from typing import Any

import pytest

from playground import south
from playground.acceptance import HTTP_ROUTES
from playground.traffic.http_routes import attached, profile, profile_routes, routes
from playground.traffic.meshes import POLICY_ROUTES, PROFILES, Linkerd, virtual_host
from tests.playground.traffic.worlds import directory, weights

Json = dict[str, Any]
DIRECTORY = directory()
CHECKOUT = DIRECTORY.services["shop/checkout"]
V1, V2 = "shop/checkout-v1|checkout-v1", "shop/checkout-v2|checkout-v2"
NINETY = south.split({"checkout-v1": 90, "checkout-v2": 10})


def _to(name: str, *matches: Json) -> Json:
    return {"backendRefs": [{"name": name, "port": 8080}]} | ({"matches": list(matches)} if matches else {})


def _made(*rules: Json, is_linkerd: bool = True) -> list[Json]:
    return routes([south.http_route("checkout", rules)], DIRECTORY, CHECKOUT, is_linkerd=is_linkerd)


def test_routes__split__weights_of_services_and_the_name_of_the_route() -> None:
    (route,) = _made(NINETY)

    assert weights(route) == {V1: 9, V2: 1}
    assert route["name"] == "HTTPRoute/gateway.networking.k8s.io/shop/checkout"


def test_routes__weight_absent__is_one() -> None:
    rule = {"backendRefs": [{"name": "checkout-v1", "port": 8080}, {"name": "checkout-v2", "port": 8080, "weight": 3}]}

    assert weights(_made(rule)[0]) == {V1: 1, V2: 3}


def test_routes__all_weights_zero__fails() -> None:
    (route,) = _made(south.split({"checkout-v1": 0, "checkout-v2": 0}))

    assert route["direct_response"] == {"status": 500}


@pytest.mark.parametrize(("is_linkerd", "expected"), [(True, {V1: 1}), (False, None)])
def test_routes__one_backend_of_weight_zero__counts_for_istio_alone(
    is_linkerd: bool,  # noqa: FBT001 - a parameter of the test
    expected: dict[str, int] | None,
) -> None:
    (route,) = _made(south.split({"checkout-v1": 0}), is_linkerd=is_linkerd)

    assert (weights(route) if "route" in route else None) == expected


def test_routes__no_backend__the_service_itself_for_linkerd() -> None:
    (route,) = _made({})

    assert weights(route) == {"shop/checkout|checkout-v1": 1, "shop/checkout|checkout-v2": 1}
    assert _made({}, is_linkerd=False)[0]["direct_response"] == {"status": 500}


def test_routes__order__the_most_exact_match_first() -> None:
    prefix = {"path": {"type": "PathPrefix", "value": "/api"}}
    longer = {"path": {"type": "PathPrefix", "value": "/api/v2"}}
    exact = {"path": {"type": "Exact", "value": "/a"}}
    beta = {"headers": [{"name": "x-group", "value": "beta"}]}

    made = _made(_to("checkout-v1"), _to("checkout-v1", prefix, beta), _to("checkout-v1", longer, exact))

    assert [each["match"] for each in made] == [
        {"path": "/a"},
        {"path_separated_prefix": "/api/v2"},
        {"path_separated_prefix": "/api"},
        {"prefix": "/", "headers": [{"name": "x-group", "string_match": {"exact": "beta"}}]},
        {"prefix": "/"},
    ]


def test_attached__route_of_the_clients_namespace__stands_in_place_of_the_services_own() -> None:
    producer = south.http_route("checkout", [NINETY])
    consumer = south.http_route("checkout", [NINETY], namespace="bank")
    consumer["spec"]["parentRefs"][0]["namespace"] = "shop"

    assert attached([producer, consumer], CHECKOUT, "bank") == [consumer]
    assert attached([producer, consumer], CHECKOUT, "shop") == [producer]


def test_attached__refused_by_its_mesh_or_for_another_port__is_not() -> None:
    refused = south.http_route("checkout", [NINETY])
    refused["status"] = {"parents": [{"conditions": [{"type": "Accepted", "status": "False"}]}]}

    assert attached([refused, south.http_route("checkout", [NINETY], port=9090)], CHECKOUT, "shop") == []
    assert attached([south.policy_route("checkout", [NINETY])], CHECKOUT, "shop") != []


def test_profile__of_the_service__its_overrides_decide() -> None:
    found = profile([south.service_profile("checkout", "shop", {"checkout-v1": 1, "checkout-v2": 3})], CHECKOUT, "bank")

    assert found is not None
    assert [weights(each) for each in profile_routes(found, DIRECTORY, CHECKOUT)] == [{V1: 1, V2: 3}]


def test_virtual_host__other_routes_for_one_namespace__told_apart_by_who_calls() -> None:
    producer = south.http_route("checkout", [_to("checkout-v1")])
    consumer = south.http_route("checkout", [_to("checkout-v2")], namespace="bank")
    consumer["spec"]["parentRefs"][0]["namespace"] = "shop"
    consumer["spec"]["rules"][0]["backendRefs"][0]["namespace"] = "shop"
    objects = {HTTP_ROUTES: [producer, consumer], POLICY_ROUTES: [], PROFILES: []}

    host = virtual_host(Linkerd(), objects, DIRECTORY, CHECKOUT)

    found = {str(each["match"]["headers"][-1]): weights(each) for each in host["routes"]}
    assert found == {
        "{'name': 'x-source-namespace', 'present_match': False}": {
            "shop/checkout|checkout-v1": 1,
            "shop/checkout|checkout-v2": 1,
        },
        "{'name': 'x-source-namespace', 'string_match': {'exact': 'bank'}}": {V2: 1},
        "{'name': 'x-source-namespace', 'string_match': {'exact': 'shop'}}": {V1: 1},
    }


def test_routes__filters_and_timeout__as_written() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "web.example.com"}}
    change = {"set": [{"name": "x-a", "value": "1"}], "add": [{"name": "x-b", "value": "2"}], "remove": ["x-c"]}
    modifier = {"type": "RequestHeaderModifier", "requestHeaderModifier": change}
    post = {"path": {"type": "RegularExpression", "value": "/a.*"}, "method": "POST"}

    away = _made({"filters": [redirect]})[0]
    modified = _made({**_to("checkout-v1", post), "filters": [modifier], "timeouts": {"request": "500ms"}})[0]

    assert away["redirect"] == {"host_redirect": "web.example.com"}
    assert modified["match"]["safe_regex"] == {"regex": "/a.*"}
    assert modified["match"]["headers"] == [{"name": ":method", "string_match": {"exact": "POST"}}]
    assert modified["route"]["timeout"] == "0.5s"
    assert [each["header"]["key"] for each in modified["request_headers_to_add"]] == ["x-a", "x-b"]
    assert modified["request_headers_to_remove"] == ["x-c"]


@pytest.mark.parametrize(("weights_", "expected"), [({"checkout-v1": "500m", "checkout-v2": 1}, {V1: 1, V2: 2})])
def test_profile__weights_in_thousandths__in_proportion(weights_: dict[str, Any], expected: dict[str, int]) -> None:
    (route,) = profile_routes(south.service_profile("checkout", "shop", weights_), DIRECTORY, CHECKOUT)

    assert weights(route) == expected
