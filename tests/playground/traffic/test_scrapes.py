"""Metrics by the pod proxy: they add up to what the clients counted, only grow, and need the right to be read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.contract.api import Api
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.playground.traffic.conftest import Site
    from tests.playground.traffic.scraping import Sample

CALLS = {"shop/frontend": [("shop/search", 1.0), ("shop/recommendations", 1.0)]}
"""Neither has a timeout: where checkout has one, an attempt is given up when the machine stands still for a second, and
counts where it went though nobody is answered."""
REQUESTS = 300


@pytest.fixture(scope="module")
def journeys() -> Callable[[Site], None]:
    """Let a site have journeys with some errors, then none."""

    def run(site: Site) -> None:
        before = sum(site.plane.link.counts().values())
        site.plane.link.profile("shop/recommendations-v2", error_percent=60.0, latency_ms=15.0)
        site.plane.link.plan("shop/frontend", 150.0, CALLS)
        wait_until(lambda: sum(site.plane.link.counts().values()) > before + REQUESTS, what="journeys")
        site.plane.link.plan("", 0.0, {})
        wait_until(lambda: _is_quiet(site), what="the last answers")

    return run


def _is_quiet(site: Site) -> bool:
    """Every caller has its answer: Envoy has no request open."""
    return "http.mesh.downstream_rq_active: 0" in site.plane.link.admin.get("/stats?filter=rq_active").decode()


def _workload(site: Site, pod: str) -> str:
    return site.plane.directory.pods[pod].workload if pod in site.plane.directory.pods else "unknown"


def _clients(site: Site, *, mesh_only: bool = False) -> Counter[tuple[str, str, str, str]]:
    """What clients counted: caller and called workload, Service and status."""
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for (caller, service, pod, status), number in site.plane.link.counts().items():
        if caller != "-" or not mesh_only:
            key = (_workload(site, caller), service.partition("/")[2], _workload(site, pod), str(status))
            counted[key] += number
    return counted


def _summed(samples: list[Sample], *names: str) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for each in samples:
        found[tuple(each.labels[name] for name in names)] += int(each.value)
    return found


ISTIO = ("source_workload", "destination_service_name", "destination_workload", "response_code")


def test_istio__both_reporters__add_up_to_the_clients_counts(istio: Site, journeys: Callable[[Site], None]) -> None:
    journeys(istio)

    def told(reporter: str) -> Counter[tuple[str, ...]]:
        return _summed(istio.scrape_all("istio_requests_total", reporter=reporter), *ISTIO)

    wait_until(lambda: told("destination") == _clients(istio), what="the counts of the called")
    wait_until(lambda: told("source") == _clients(istio, mesh_only=True), what="the counts of the callers")
    assert told("source")["frontend-v1", "recommendations", "recommendations-v2", "503"] > 0
    assert told("destination")["unknown", "frontend", "frontend-v1", "200"] > 0


def test_istio__durations__as_many_as_requests_and_as_slow_as_the_version(
    istio: Site, journeys: Callable[[Site], None]
) -> None:
    journeys(istio)
    called = {"reporter": "destination", "destination_workload": "recommendations-v2"}
    name = "istio_request_duration_milliseconds"

    def all_of(metric: str, **labels: str) -> float:
        return sum(each.value for each in istio.scrape_all(metric, **called, **labels))

    wait_until(lambda: all_of(f"{name}_count") == all_of("istio_requests_total"), what="Envoy's flush")
    assert 5 < all_of(f"{name}_sum") / all_of(f"{name}_count") < 500
    assert all_of(f"{name}_bucket", le="1") < all_of(f"{name}_bucket", le="500")
    assert all_of(f"{name}_bucket", le="+Inf") == all_of(f"{name}_count")


def test_linkerd__routes_and_called__add_up_to_the_clients_counts(
    linkerd: Site, journeys: Callable[[Site], None]
) -> None:
    journeys(linkerd)
    name = "outbound_http_route_backend_response_statuses_total"

    def told() -> Counter[tuple[str, ...]]:
        return _summed(linkerd.scrape_all(name), "parent_name", "backend_name", "http_status")

    wanted: Counter[tuple[str, ...]] = Counter()
    for (_, service, workload, status), number in _clients(linkerd, mesh_only=True).items():
        wanted[service, workload, status] += number  # a Service for each version, named as its workload
    wait_until(lambda: told() == wanted, what="the counts of the routes")
    inbound = linkerd.scrape_all("response_total", direction="inbound")
    assert _summed(inbound)[()] == sum(_clients(linkerd).values())
    failures = _summed(inbound, "classification")["failure",]
    assert failures == sum(number for (*_, status), number in _clients(linkerd).items() if status == "503") > 0


@pytest.mark.parametrize("mesh", ["istio", "linkerd"])
def test_scrapes__one_after_the_other__only_grow(
    request: pytest.FixtureRequest, journeys: Callable[[Site], None], mesh: str
) -> None:
    site: Site = request.getfixturevalue(mesh)
    journeys(site)
    first = {each.series: each.value for each in site.scrape(site.caller)}
    journeys(site)

    wait_until(lambda: {each.series: each.value for each in site.scrape(site.caller)} != first, what="new counts")

    later = {each.series: each.value for each in site.scrape(site.caller)}
    assert first
    assert [series for series, value in first.items() if later.get(series, -1) < value] == []


def test_pod_proxy__reader_without_the_right__forbidden(istio: Site) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    istio.cluster.grant("reader", rules)
    api = Api(istio.cluster.kubeconfig("reader"))
    namespace, name = istio.caller.split("/")
    path = f"/api/v1/namespaces/{namespace}/pods/{name}:15020/proxy/stats/prometheus"

    refused = api.get(path)
    istio.cluster.grant("reader", [*rules, {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}])
    allowed = api.get(path)

    api.close()
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert allowed.status == 200
