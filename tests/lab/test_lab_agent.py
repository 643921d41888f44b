"""What the lab tells in place of Istio's own proxies is what Envoy counted, under Istio's names."""

from __future__ import annotations

from lab.agent import derived
from meshes.adapters.istio import IstioAdapter
from metrics.providers.proxies import metrics_of
from metrics.samples import parse_samples

CHECKOUT = {"namespace": "shop", "workload": "checkout-v2", "service": "checkout", "version": "v2"}
WEB = {"namespace": "shop", "workload": "web", "service": "", "version": ""}
OUT = "outbound|80|v1|checkout.shop.svc.cluster.local"
PAGE = f"""\
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{{cluster_name="{OUT}",envoy_response_code="200"}} 90
envoy_cluster_upstream_rq{{cluster_name="{OUT}",envoy_response_code="503"}} 3
envoy_cluster_upstream_rq{{cluster_name="inbound|8080||",envoy_response_code="200"}} 7
envoy_cluster_upstream_rq{{cluster_name="xds-grpc",envoy_response_code="200"}} 1
envoy_cluster_upstream_rq_total{{cluster_name="{OUT}"}} 93
envoy_cluster_external_upstream_rq{{cluster_name="{OUT}",envoy_response_code="200"}} 90
envoy_cluster_upstream_rq_time_bucket{{cluster_name="inbound|8080||",le="0.5"}} 5
envoy_cluster_upstream_rq_time_bucket{{cluster_name="inbound|8080||",le="+Inf"}} 7
"""


def test_derived__both_ends__each_counter_once_and_nothing_else() -> None:
    text = derived(PAGE, CHECKOUT)

    samples = parse_samples(text, metrics_of(IstioAdapter()))

    sums = {
        reporter: sum(v for s, v in samples.items() if f'reporter="{reporter}"' in s and s.startswith("istio_requests"))
        for reporter in ("source", "destination")
    }
    assert sums == {"source": 93.0, "destination": 7.0}
    assert [value for series, value in samples.items() if "_bucket" in series] == [5.0, 7.0]
    assert len(samples) == 5


def test_derived__as_a_client__caller_service_and_subset_are_named() -> None:
    (good,) = [line for line in derived(PAGE, WEB).splitlines() if 'response_code="200"' in line and "source" in line][
        :1
    ]

    for label in (
        'source_workload="web"',
        'destination_service_name="checkout"',
        'destination_service_namespace="shop"',
        'destination_version="v1"',
    ):
        assert label in good


def test_derived__as_a_server__its_own_names_and_an_unknown_caller() -> None:
    (line,) = [line for line in derived(PAGE, CHECKOUT).splitlines() if 'reporter="destination"' in line][:1]

    assert 'destination_workload="checkout-v2"' in line
    assert 'destination_version="v2"' in line
    assert 'source_workload="unknown"' in line
