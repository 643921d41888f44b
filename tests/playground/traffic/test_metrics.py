"""What Envoy counts, under the names and labels of each mesh."""

from __future__ import annotations

import pytest

from playground.traffic.istio_metrics import istio_metrics
from playground.traffic.linkerd_metrics import linkerd_metrics
from playground.traffic.model import Directory
from playground.traffic.samples import Known, Traffic, named, read_series
from tests.playground.traffic.scraping import Sample, read_samples
from tests.playground.traffic.worlds import directory, pod

DIRECTORY = directory()
V2 = DIRECTORY.pods["shop/v2-0"]
TELLER = DIRECTORY.pods["bank/teller"]
KNOWN = Known(DIRECTORY, {4001: V2})
TAGS = (
    'source="{source}",host="checkout.shop.svc.cluster.local",'
    'route="HTTPRoute/gateway.networking.k8s.io/shop/checkout",cluster="{cluster}",upstream="{upstream}",'
    'code="{code}",flags="{flags}"'
)


def _envoy(*, source: str = "bank/teller", code: str = "200", number: int = 5) -> str:
    """What Envoy says of requests from a caller to v2: each is an attempt, too."""
    tags = TAGS.format(
        source=source, cluster="shop/checkout-v2|checkout-v2", upstream="127.0.0.1:4001", code=code, flags="-"
    )
    lines = []
    for direction in ("outbound", "inbound"):
        lines += [
            f"envoy_{direction}_requests{{{tags}}} {number}",
            f'envoy_{direction}_duration_bucket{{{tags},le="10"}} {number - 1}',
            f'envoy_{direction}_duration_bucket{{{tags},le="25"}} {number}',
            f'envoy_{direction}_duration_bucket{{{tags},le="+Inf"}} {number}',
            f"envoy_{direction}_duration_sum{{{tags}}} {number * 8}.25",
            f"envoy_{direction}_duration_count{{{tags}}} {number}",
        ]
    return "\n".join(lines)


def _traffic(text: str, known: Known = KNOWN) -> list[Traffic]:
    return [found for each in read_series(text) if (found := named(each, known))]


def _one(samples: list[Sample], name: str, **labels: str) -> Sample:
    (found,) = [each for each in samples if each.name == name and labels.items() <= each.labels.items()]
    return found


def test_istio__request__counted_at_the_caller_and_at_the_called() -> None:
    traffic = _traffic(_envoy())

    at_caller, at_called = (read_samples(istio_metrics(each, traffic)) for each in (TELLER, V2))

    source = _one(at_caller, "istio_requests_total")
    assert source.value == 5
    assert source.labels == {
        "reporter": "source",
        "source_workload": "teller-v1",
        "source_workload_namespace": "bank",
        "source_principal": "spiffe://cluster.local/ns/bank/sa/default",
        "source_app": "teller",
        "source_version": "v1",
        "source_canonical_service": "teller",
        "source_canonical_revision": "v1",
        "destination_service": "checkout-v2.shop.svc.cluster.local",
        "destination_service_name": "checkout-v2",
        "destination_service_namespace": "shop",
        "destination_workload": "checkout-v2",
        "destination_workload_namespace": "shop",
        "destination_principal": "spiffe://cluster.local/ns/shop/sa/default",
        "destination_app": "checkout",
        "destination_version": "v2",
        "destination_canonical_service": "checkout",
        "destination_canonical_revision": "v2",
        "request_protocol": "http",
        "response_code": "200",
        "response_flags": "-",
        "grpc_response_status": "",
        "connection_security_policy": "unknown",
    }
    target = _one(at_called, "istio_requests_total")
    assert (target.value, target.labels["reporter"]) == (5, "destination")
    assert target.labels["connection_security_policy"] == "mutual_tls"
    assert target.labels["destination_service_name"] == "checkout"


def test_istio__latency__buckets_sum_and_count_of_envoy() -> None:
    samples = read_samples(istio_metrics(V2, _traffic(_envoy())))

    name = "istio_request_duration_milliseconds"
    assert _one(samples, f"{name}_bucket", le="10").value == 4
    assert _one(samples, f"{name}_bucket", le="25").value == 5
    assert _one(samples, f"{name}_bucket", le="+Inf").value == 5
    assert _one(samples, f"{name}_sum").value == 40.25
    assert _one(samples, f"{name}_count").value == 5


def test_istio__caller_of_no_mesh__unknown_without_mutual_tls_and_told_by_the_called_alone() -> None:
    traffic = _traffic(_envoy(source="-"))

    found = _one(read_samples(istio_metrics(V2, traffic)), "istio_requests_total")

    assert found.labels["source_workload"] == "unknown"
    assert found.labels["connection_security_policy"] == "none"
    assert read_samples(istio_metrics(TELLER, traffic)) == []


def test_istio__nobody_behind_the_backend__told_by_the_caller_alone() -> None:
    tags = TAGS.format(source="bank/teller", cluster="shop/checkout-v2|", upstream="-", code="503", flags="UH")
    traffic = _traffic(f"envoy_outbound_requests{{{tags}}} 3")

    found = _one(read_samples(istio_metrics(TELLER, traffic)), "istio_requests_total")

    assert (found.value, found.labels["response_code"], found.labels["response_flags"]) == (3, "503", "UH")
    assert found.labels["destination_workload"] == "unknown"
    assert found.labels["destination_service_name"] == "checkout-v2"


def test_linkerd__caller__route_and_backend() -> None:
    samples = read_samples(linkerd_metrics(TELLER, _traffic(_envoy(code="503"))))

    found = _one(samples, "outbound_http_route_backend_response_statuses_total")
    assert found.value == 5
    assert found.labels == {
        "parent_group": "core",
        "parent_kind": "Service",
        "parent_namespace": "shop",
        "parent_name": "checkout",
        "parent_port": "8080",
        "parent_section_name": "",
        "route_group": "gateway.networking.k8s.io",
        "route_kind": "HTTPRoute",
        "route_namespace": "shop",
        "route_name": "checkout",
        "backend_group": "core",
        "backend_kind": "Service",
        "backend_namespace": "shop",
        "backend_name": "checkout-v2",
        "backend_port": "8080",
        "backend_section_name": "",
        "http_status": "503",
        "error": "",
    }
    assert _one(samples, "outbound_http_route_backend_requests_total").value == 5
    outbound = _one(samples, "response_total")
    assert outbound.labels["direction"] == "outbound"
    assert outbound.labels["classification"] == "failure"
    assert (outbound.labels["dst_service"], outbound.labels["dst_deployment"]) == ("checkout-v2", "checkout-v2")


def test_linkerd__called__latency_in_milliseconds_and_at_the_caller_in_seconds() -> None:
    traffic = _traffic(_envoy())

    called, caller = (read_samples(linkerd_metrics(each, traffic)) for each in (V2, TELLER))

    assert _one(called, "response_total", direction="inbound").labels["classification"] == "success"
    assert _one(called, "response_latency_ms_bucket", le="10").value == 4
    assert _one(called, "response_latency_ms_count").value == 5
    name = "outbound_http_route_backend_response_duration_seconds"
    bounds = [each.labels["le"] for each in caller if each.name == f"{name}_bucket"]
    assert bounds == ["0.025", "0.05", "0.1", "0.25", "0.5", "1", "10", "+Inf"]
    assert _one(caller, f"{name}_bucket", le="0.025").value == 5
    assert _one(caller, f"{name}_sum").value == pytest.approx(0.04025)


def test_linkerd__service_with_a_profile__no_route() -> None:
    text = _envoy().replace("HTTPRoute/gateway.networking.k8s.io", "ServiceProfile/linkerd.io")

    names = {each.name for each in read_samples(linkerd_metrics(TELLER, _traffic(text)))}

    assert names == {
        "request_total",
        "response_total",
        *(f"response_latency_ms_{part}" for part in ("bucket", "sum", "count")),
    }


def test_linkerd__service_without_a_route__the_default_one() -> None:
    text = _envoy().replace("HTTPRoute/gateway.networking.k8s.io/shop/checkout", "default")

    found = _one(read_samples(linkerd_metrics(TELLER, _traffic(text))), "outbound_http_route_backend_requests_total")

    assert (found.labels["route_kind"], found.labels["route_name"]) == ("default", "http")


def test_named__pod_that_is_gone__still_counts_for_its_caller() -> None:
    rest = Directory(DIRECTORY.services, {TELLER.key: TELLER})

    (found, _) = _traffic(_envoy(), Known(rest, {4001: V2}))

    assert found.pod == V2
    assert found.requests == 5


def test_exposition__label_with_quotes__escaped() -> None:
    odd = pod("odd", app='a"b\\c')
    known = Known(Directory(DIRECTORY.services, {**DIRECTORY.pods, odd.key: odd}), {4001: V2})

    found = _one(read_samples(istio_metrics(V2, _traffic(_envoy(source="shop/odd"), known))), "istio_requests_total")

    assert found.labels["source_app"] == 'a"b\\c'
