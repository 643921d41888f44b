"""A change made on MeshUI's pages, as clients get it: real API server, real istiod, real Envoys, a real Prometheus.

Pods answer, each behind its own sidecar, in a network of the test's own. The proxies are plain Envoys, so
`istio_requests_total` and the durations are derived from their own counters (lab.agent): what is proved of metrics is
proved of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3

from clusters.connect import proxied_for
from lab import agent
from lab.live import live_shop
from lab.samples import SHOP
from lab.waiting import until
from metrics.samples import parse_samples
from metrics.selectors import get_signals
from metrics.services import watch_service
from tests.lab.live import (
    caller,
    check_prometheus_verifies,
    check_weights_move,
    desk,
    inside,
    needs_envoy,
    prometheus,
    put_back,
    route,
    running,
    service_page,
    settles,
    share_of_v2,
)
from tests.metrics.conftest import later, round_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django import Settings

    from accounts.models import User
    from clusters.models import Cluster
    from lab.live import LiveShop
    from lab.prometheus import Prometheus
    from meshes.models import Route
    from tests.lab.caller import Caller
    from tests.lab.desk import Desk

__all__ = ["caller", "desk", "inside", "prometheus", "route"]
FOUND = "Prometheus istio-system/prometheus:9090"
pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True), needs_envoy]


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """The shop whose pods answer."""
    with running(live_shop) as found:
        yield found


@pytest.fixture
def prometheus_inside(inside: LiveShop, caller: Caller, lab_prometheus: Path) -> Iterator[None]:
    """One in the cluster, at the place where Istio's add-on has it, while the test lasts; it has seen requests."""
    server, url = inside.start_prometheus_inside()
    until(lambda: bool(caller.ask(500)) and knows_rates(url), seconds=30, what="two scrapes of every proxy")
    yield
    server.stop()
    inside.take_prometheus_away()


def knows_rates(url: str) -> bool:
    """Whether it can tell how often each pod was asked: after a first question in vain it is left alone for a while."""
    query = 'rate(istio_requests_total{reporter="destination"}[15s])'
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        found = pool.request("GET", f"{url}/api/v1/query", fields={"query": query}).json()
    return len(found["data"]["result"]) == 3


def test_traffic__two_people_move_weights__clients_of_real_envoys_get_them_within_2_s_and_back(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk
) -> None:
    check_weights_move(inside, caller, route, desk)


def test_prometheus__of_counters_derived_from_plain_envoys__approved_weights_are_measured_and_page_says_verified(
    prometheus: Prometheus, caller: Caller, route: Route, desk: Desk, admin: User, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 15

    found = check_prometheus_verifies(prometheus, caller, route, desk, admin)

    assert found.service.golden is not None
    assert found.service.golden.success == pytest.approx(1.0)
    assert found.service.golden.p99_ms is not None
    assert f"Prometheus {prometheus.url}" in service_page(desk, route)


@pytest.mark.usefixtures("prometheus_inside")
def test_prometheus__behind_the_service_proxy_of_a_real_api_server__found_and_what_it_scraped_is_shown(
    route: Route, desk: Desk, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 15
    watch_service(route.cluster, SHOP, "checkout", seconds=900)

    round_of(route.cluster)

    found = get_signals(route.cluster, SHOP, "checkout")
    assert found.service.source == FOUND
    assert FOUND in service_page(desk, route)
    assert share_of_v2(found) == pytest.approx(0.10, abs=0.05)
    assert [edge.name.part for edge in found.edges] == [f"{SHOP}/web"]


def test_proxies__through_the_pod_proxy_of_a_real_api_server__tell_what_the_client_was_answered(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 40
    cluster = route.cluster
    watch_service(cluster, SHOP, "checkout", seconds=900)

    def is_measured() -> bool:
        caller.ask(300)
        round_of(cluster)
        return get_signals(cluster, SHOP, "checkout").service.golden is not None

    until(is_measured, seconds=40, what="two scrapes of each proxy")

    found = get_signals(cluster, SHOP, "checkout")
    page = service_page(desk, route)
    assert told(cluster) == caller.answered
    assert found.service.source == "3 of 3 proxies"
    assert found.service.golden is not None
    assert share_of_v2(found) == pytest.approx(0.10, abs=0.05)
    assert "3 of 3 proxies" in page


def test_proxies__weights_put_back_past_meshui__clients_get_those_and_page_of_the_change_says_mismatch(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 40
    watch_service(route.cluster, SHOP, "checkout", seconds=900)
    desk.shift(route, 50, 50)
    settles(inside, 50, 50)

    put_back(inside)
    for _ in range(6):
        caller.ask(300)
        round_of(route.cluster)
        later(15)

    page = desk.page(desk.author, "signals/")
    assert "Mismatch" in page
    assert "approved are 50.0%" in page
    assert "Verified" not in page


def told(cluster: Cluster) -> dict[str, float]:
    """By workload, the requests that the sidecars of checkout say they let in, read through the API server."""
    found: dict[str, float] = {}
    for pod in proxied_for(cluster).pods(SHOP, {"app": "checkout"}):
        text = proxied_for(cluster).pod_text(SHOP, pod.name, agent.PORT, agent.PATH)
        counts = parse_samples(text, {"istio_requests_total"}).values()
        found[pod.workload] = found.get(pod.workload, 0) + sum(counts)
    return found
