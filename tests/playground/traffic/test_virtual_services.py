"""VirtualServices and DestinationRules as Envoy's routes: what Istio would do with them."""

from __future__ import annotations

from typing import Any

import pytest

from playground import worlds
from playground.traffic.config import SOURCE_LABELS
from playground.traffic.virtual_services import effective, routes
from tests.playground.traffic.worlds import directory, weights

Json = dict[str, Any]
DIRECTORY = directory()
CHECKOUT = DIRECTORY.services["shop/checkout"]
V1, V2 = "shop/checkout|checkout-v1", "shop/checkout|checkout-v2"
RULE = worlds.destination_rule("shop", "checkout", "checkout", ("v1", "v2"))
NINETY = worlds.split("checkout", {"v1": 90, "v2": 10})


def _virtual_service(*http: Json, name: str = "checkout", created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Json:
    made = worlds.virtual_service("shop", name, ["checkout"], http, **spec)
    made["metadata"]["creationTimestamp"] = created
    return made


def _made(*http: Json, namespace: str = "shop", rules: tuple[Json, ...] = (RULE,)) -> list[Json]:
    return routes(_virtual_service(*http), rules, DIRECTORY, namespace)


def _to(subset: str, **more: Any) -> Json:
    return {"route": [{"destination": {"host": "checkout.shop.svc.cluster.local", "subset": subset}}], **more}


def test_routes__split__weights_of_subsets() -> None:
    (route,) = _made(NINETY)

    assert weights(route) == {V1: 9, V2: 1}
    assert route["match"] == {"prefix": "/"}
    assert route["name"] == "VirtualService/shop/checkout"


def test_routes__one_destination__its_weight_means_nothing() -> None:
    (route,) = _made(worlds.split("checkout", {"v2": 0}))

    assert weights(route) == {V2: 1}


def test_routes__weight_absent__is_zero() -> None:
    rule = {"route": [_to("v1")["route"][0], {**_to("v2")["route"][0], "weight": 10}]}

    assert weights(_made(rule)[0]) == {V2: 1}


def test_routes__subset_of_no_destination_rule__nobody_answers() -> None:
    (route,) = _made(NINETY, rules=())

    assert weights(route) == {"shop/checkout|": 1}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"uri": {"prefix": "/api"}}, {"prefix": "/api"}),
        ({"uri": {"exact": "/a"}, "ignoreUriCase": True}, {"path": "/a", "case_sensitive": False}),
        ({"uri": {"regex": "/a.*"}}, {"safe_regex": {"regex": "/a.*"}}),
        (
            {"headers": {"x-group": {"exact": "beta"}}},
            {"prefix": "/", "headers": [{"name": "x-group", "string_match": {"exact": "beta"}}]},
        ),
        (
            {"headers": {"x-group": {}}},
            {"prefix": "/", "headers": [{"name": "x-group", "present_match": True}]},
        ),
        (
            {"withoutHeaders": {"x-group": {"prefix": "b"}}},
            {"prefix": "/", "headers": [{"name": "x-group", "string_match": {"prefix": "b"}, "invert_match": True}]},
        ),
        (
            {"method": {"exact": "POST"}},
            {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]},
        ),
        (
            {"sourceLabels": {"app": "web"}},
            {"prefix": "/", "headers": [{"name": SOURCE_LABELS, "string_match": {"contains": ",app=web,"}}]},
        ),
        (
            {"queryParams": {"beta": {"exact": "1"}}},
            {"prefix": "/", "query_parameters": [{"name": "beta", "string_match": {"exact": "1"}}]},
        ),
    ],
)
def test_routes__match__as_envoy_says_it(match: Json, expected: Json) -> None:
    chosen, rest = _made(_to("v2", match=[match]), _to("v1"))

    assert chosen["match"] == expected
    assert rest["match"] == {"prefix": "/"}


def test_routes__rule_for_another_namespace__is_not_for_these_clients() -> None:
    only_bank = _to("v2", match=[{"sourceNamespace": "bank"}])

    assert [weights(each) for each in _made(only_bank, _to("v1"), namespace="shop")] == [{V1: 1}]
    assert [weights(each) for each in _made(only_bank, _to("v1"), namespace="bank")] == [{V2: 1}, {V1: 1}]


def test_routes__retries_timeout_mirror_and_fault__are_kept() -> None:
    fault = {"delay": {"percentage": {"value": 0.1}, "fixedDelay": "5s"}}
    mirror = {"mirror": {"host": "checkout", "subset": "v2"}, "mirrorPercentage": {"value": 12.5}}
    retries = {"attempts": 2, "perTryTimeout": "500ms", "retryOn": "5xx"}

    (route,) = _made(_to("v1", timeout="1m30s", retries=retries, fault=fault, **mirror))

    action = route["route"]
    assert action["timeout"] == "90s"
    assert action["retry_policy"] == {"retry_on": "5xx", "num_retries": 2, "per_try_timeout": "0.5s"}
    (mirrored,) = action["request_mirror_policies"]
    assert mirrored["cluster"] == V2
    assert mirrored["runtime_fraction"]["default_value"] == {"numerator": 125_000, "denominator": "MILLION"}
    delay = route["typed_per_filter_config"]["envoy.filters.http.fault"]["delay"]
    assert delay == {"fixed_delay": "5s", "percentage": {"numerator": 1_000, "denominator": "MILLION"}}


def test_effective__two_claim_the_host__the_older_one() -> None:
    younger = _virtual_service(NINETY, name="a", created="2026-02-01T00:00:00Z")
    older = _virtual_service(NINETY, name="b", created="2026-01-01T00:00:00Z")

    assert effective([younger, older], DIRECTORY, CHECKOUT, "shop") == older


def test_effective__not_exported_or_for_a_gateway_alone__not_seen() -> None:
    private = _virtual_service(NINETY, exportTo=["."])
    gateway = _virtual_service(NINETY, gateways=["ingress"])

    assert effective([private], DIRECTORY, CHECKOUT, "bank") is None
    assert effective([private], DIRECTORY, CHECKOUT, "shop") == private
    assert effective([gateway], DIRECTORY, CHECKOUT, "shop") is None


def test_routes__redirect_direct_response_and_rewrite__as_written() -> None:
    old = {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new", "authority": "web.example.com"}}
    closed = {"match": [{"uri": {"prefix": "/no"}}], "directResponse": {"status": 410}}

    redirect, direct, rewrite = _made(old, closed, _to("v1", rewrite={"uri": "/here"}))

    assert redirect["redirect"] == {"host_redirect": "web.example.com", "path_redirect": "/new"}
    assert direct["direct_response"] == {"status": 410}
    assert rewrite["route"]["prefix_rewrite"] == "/here"


def test_routes__no_retries_wished__none() -> None:
    (route,) = _made(_to("v1", retries={"attempts": 0}))

    assert "retry_policy" not in route["route"]


def test_routes__all_weights_zero__fails() -> None:
    (route,) = _made(worlds.split("checkout", {"v1": 0, "v2": 0}))

    assert route["direct_response"] == {"status": 503}
