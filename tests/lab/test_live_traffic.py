"""A change made on MeshUI's pages, as clients get it: real API server, real istiod, real Envoys, a real Prometheus.

The proxies are plain Envoys, so `istio_requests_total` and the durations are derived from their own counters
(lab.agent): what is proved of metrics is proved of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.connect import proxied_for
from clusters.models import Cluster
from lab import agent
from lab.live import LiveShop, live_shop
from lab.network import NoNetworkError
from lab.samples import SHOP
from lab.waiting import until
from meshes.models import Route
from meshui.lib.queue import drain
from metrics.samples import parse_samples
from metrics.selectors import get_signals
from metrics.services import set_source, watch_service
from metrics.services.collect import ring_due
from tests import journey as way
from tests.lab.caller import POINTS, Caller
from tests.lab.desk import Desk, text_of
from tests.lab.test_prometheus_source import by_address
from tests.metrics.conftest import later, round_of
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django import Settings

    from accounts.models import User
    from lab.prometheus import Prometheus

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
LIVE_SECONDS = 2.0
"""Within which 'applied' must be what clients get."""
SUBSETS = "v1", "v2"
HOST = "checkout.shop.svc.cluster.local"


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """The shop whose pods answer; where no network of its own can be had the tests are skipped, and say why."""
    try:
        with live_shop() as running:
            yield running
    except NoNetworkError as error:
        pytest.skip(str(error))


@pytest.fixture
def inside(shop: LiveShop) -> Iterator[LiveShop]:
    """The shop at 90/10; the test, and with it the product, is in its network."""
    with shop.network.entered():
        shop.cluster.edit("VirtualService", "checkout", SHOP, way.set_weights(90, 10))
        settles(shop, 90, 10)
        yield shop


@pytest.fixture(scope="module")
def caller(shop: LiveShop) -> Caller:
    """The only one who calls checkout."""
    return Caller(shop)


@pytest.fixture
def route(inside: LiveShop, admin: User) -> Route:
    """The cluster added to the product; its route of checkout."""
    way.add_by_verb(inside.cluster, admin)
    return Route.objects.select_related("cluster").get(root_namespace=SHOP, root_service="checkout")


@pytest.fixture
def desk(author: User, approver: User) -> Desk:
    """Two people."""
    return Desk.of(author, approver)


@pytest.fixture
def prometheus(inside: LiveShop, lab_prometheus: Path) -> Iterator[Prometheus]:
    """One that scrapes the pods of the shop."""
    running = inside.start_prometheus()
    yield running
    running.server.stop()


def settles(shop: LiveShop, *weights: int) -> None:
    """The caller's Envoy shares so, within LIVE_SECONDS."""
    wanted = dict(zip(SUBSETS, weights, strict=True))
    until(lambda: shop.caller.weights(HOST) == wanted, seconds=LIVE_SECONDS, what=f"Envoy to share as {wanted}")


def test_traffic__two_people_move_weights__clients_of_a_real_envoy_get_them_within_2_s_and_back(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk
) -> None:
    before = caller.share_of_v2(0.10)

    desk.shift(route, 50, 50)
    settles(inside, 50, 50)
    moved = caller.share_of_v2(0.50)
    desk.roll_back()
    settles(inside, 90, 10)
    back = caller.share_of_v2(0.10)

    assert before == pytest.approx(0.10, abs=POINTS)
    assert moved == pytest.approx(0.50, abs=POINTS)
    assert back == pytest.approx(0.10, abs=POINTS)


def test_prometheus__of_counters_derived_from_plain_envoys__approved_weights_are_measured_and_page_says_verified(
    prometheus: Prometheus, caller: Caller, route: Route, desk: Desk, admin: User, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 15  # it scrapes each second: so the first 15 s after the write are left out
    set_source(actor=as_actor(admin), cluster_id=route.cluster_id, wanted=by_address(prometheus))
    watch_service(route.cluster, SHOP, "checkout", seconds=900)

    with caller.keeps_asking():
        desk.shift(route, 60, 40)
        early = desk.page(desk.author, "signals/")
        until(lambda: "Verified" in measured(desk), seconds=90, what="the page of the change to say so")

    page = desk.page(desk.author, "signals/")
    service = text_of(desk.author.get(f"/services/{route.cluster.slug}/{SHOP}/checkout/signals/"))
    found = get_signals(route.cluster, SHOP, "checkout")
    assert "is too short" in early
    assert "requests were shared as approved" in page
    assert f"Prometheus {prometheus.url}" in service
    assert found.service.golden is not None
    assert found.service.golden.success == 1.0
    assert found.service.golden.p99_ms is not None
    rates = {key: reading.golden.rate for key, reading in found.backends.items() if reading.golden}
    assert rates["shop/checkout#v2"] / sum(rates.values()) == pytest.approx(0.40, abs=0.05)
    assert [edge.name.part for edge in found.edges] == ["shop/web"]


def measured(desk: Desk) -> str:
    """The page of what the change did to traffic, after the round that is due, if one is."""
    if not ring_due():
        return ""
    drain()
    return desk.page(desk.author, "signals/")


def test_proxies__through_the_pod_proxy_of_a_real_api_server__tell_what_the_client_was_answered(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 40
    cluster = Cluster.objects.get(pk=route.cluster_id)
    watch_service(cluster, SHOP, "checkout", seconds=900)

    def is_measured() -> bool:
        caller.ask(300)
        round_of(cluster)
        return get_signals(cluster, SHOP, "checkout").service.golden is not None

    until(is_measured, seconds=40, what="two scrapes of each proxy")

    found = get_signals(cluster, SHOP, "checkout")
    rates = {key: reading.golden.rate for key, reading in found.backends.items() if reading.golden}
    page = text_of(desk.author.get(f"/services/{cluster.slug}/{SHOP}/checkout/signals/"))
    assert told(cluster) == caller.answered
    assert found.service.source == "3 of 3 proxies"
    assert found.service.golden is not None
    assert found.service.golden.rate == pytest.approx(sum(rates.values()), rel=0.01)
    assert rates["shop/checkout#v2"] / sum(rates.values()) == pytest.approx(0.10, abs=POINTS)
    assert "3 of 3 proxies" in page


def test_proxies__weights_put_back_past_meshui__clients_get_those_and_page_of_the_change_says_mismatch(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 40
    watch_service(route.cluster, SHOP, "checkout", seconds=900)
    desk.shift(route, 50, 50)
    settles(inside, 50, 50)

    inside.cluster.edit("VirtualService", "checkout", SHOP, way.set_weights(90, 10))
    settles(inside, 90, 10)
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
