"""Rounds: from the counters of proxies through rows to what is shown."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import pytest

from clusters.models import Cluster, Health
from meshes.types import Grain
from meshui.lib.clock import db_now, read_db_now
from metrics.models import Collector, Point, ProxyScrape, Series
from metrics.selectors import get_signals, list_points
from metrics.services import collect_cluster, ring_due, watch_service
from metrics.services.keeping import turn_of
from tests.metrics.conftest import is_rate, istio_text, later, round_of, to_turn

if TYPE_CHECKING:
    from tests.metrics.front import Front

pytestmark = pytest.mark.django_db


def two_rounds(shop: Cluster, front: Front, *, seconds: float = 15) -> None:
    """v1 serves 900 requests in between (9 of them badly), v2 100."""
    front.texts |= {"checkout-v1-a": istio_text("v1", 1_000), "checkout-v2-a": istio_text("v2", 50)}
    round_of(shop)
    later(seconds)
    front.texts |= {"checkout-v1-a": istio_text("v1", 1_900, bad=9), "checkout-v2-a": istio_text("v2", 150)}
    round_of(shop)


def test_round__watched_service__rate_of_service_and_backends_stored(shop: Cluster, front: Front) -> None:
    watch_service(shop, "shop", "checkout")
    began = time.monotonic()

    two_rounds(shop, front)

    signals = get_signals(shop, "shop", "checkout")
    golden, backends = signals.service.golden, signals.backends
    assert golden is not None
    assert is_rate(golden.rate, 1000, 15, began)  # of the 15 s that the two samples tell of
    assert golden.success == pytest.approx(1 - 9 / 1000, abs=0.004)  # errors began at 0: nothing to carry back
    assert golden.p50_ms == pytest.approx(7.5)
    rates = {key: backend.golden.rate for key, backend in backends.items() if backend.golden}
    assert set(rates) == {"shop/checkout#v1", "shop/checkout#v2"}
    assert rates["shop/checkout#v1"] / golden.rate == pytest.approx(0.9, rel=0.01)
    assert [edge.name.part for edge in signals.edges] == ["shop/web"]
    assert (signals.service.state, signals.service.source, signals.service.share) == ("live", "2 of 2 proxies", 1.0)


def test_round__one_scrape_only__no_data_and_not_zero(shop: Cluster, front: Front) -> None:
    watch_service(shop, "shop", "checkout")
    front.texts |= {"checkout-v1-a": istio_text("v1", 1_000), "checkout-v2-a": istio_text("v2", 50)}

    round_of(shop)

    signals = get_signals(shop, "shop", "checkout")
    assert (signals.service.state, signals.service.golden) == ("none", None)
    assert signals.why
    assert not Series.objects.exists()


def test_round__nobody_watches__nothing_is_asked_until_the_minute(shop: Cluster, front: Front) -> None:
    front.texts |= {"checkout-v1-a": istio_text("v1", 1_000), "checkout-v2-a": istio_text("v2", 50)}

    round_of(shop)
    assert front.scraped() == []
    round_of(shop, minute=True)
    assert sorted(front.scraped()) == ["checkout-v1-a", "checkout-v2-a"]


def test_minute__service_with_a_route__points_by_the_minute(shop: Cluster, front: Front) -> None:
    to_turn(shop)
    turns = []
    for total in (1_000, 1_600, 2_200):
        front.texts |= {"checkout-v1-a": istio_text("v1", total), "checkout-v2-a": istio_text("v2", total / 10)}
        turns.append(int(turn_of(read_db_now(), 60, shop.pk).timestamp()))
        round_of(shop, minute=True)
        later(60)

    assert set(Point.objects.values_list("step", flat=True)) == {60}
    assert Series.objects.get(grain=Grain.SERVICE).step == 60
    service = list_points(shop, "shop", "checkout", step=60, minutes=5)[0]
    assert [at for at, value in zip(service.times, service.rate, strict=True) if value is not None] == turns[1:]


@pytest.mark.parametrize("late", [0.5, 8.0])
def test_round__begun_late_and_long__fills_the_place_of_its_turn(shop: Cluster, front: Front, late: float) -> None:
    watch_service(shop, "shop", "checkout", seconds=600)
    to_turn(shop)
    later(late - 5)
    begun = read_db_now()

    two_rounds(shop, front)

    service = Series.objects.get(grain=Grain.SERVICE)
    assert [point.at for point in service.points.all()] == [turn_of(begun, 15, shop.pk) + dt.timedelta(seconds=15)]


def test_round__service_stops_answering__values_stay_with_their_age(shop: Cluster, front: Front) -> None:
    watch_service(shop, "shop", "checkout", seconds=600)
    two_rounds(shop, front)
    front.texts.clear()

    later(80)
    round_of(shop)

    reading = get_signals(shop, "shop", "checkout")
    assert reading.service.state == "stale"
    assert not reading.service.is_live
    assert reading.service.age_seconds == pytest.approx(80, abs=5)
    assert "did not tell its metrics" in reading.why


def test_round__pod_restarts__its_counters_begin_anew_and_rates_stay_positive(shop: Cluster, front: Front) -> None:
    watch_service(shop, "shop", "checkout", seconds=600)
    two_rounds(shop, front)
    later(15)
    front.texts |= {"checkout-v1-a": istio_text("v1", 300), "checkout-v2-a": istio_text("v2", 250)}

    round_of(shop)

    golden = get_signals(shop, "shop", "checkout").service.golden
    assert golden is not None
    assert golden.rate > (900 + 300 + 200) / 60


def test_round__twice_within_five_seconds__proxies_are_asked_once(shop: Cluster, front: Front) -> None:
    watch_service(shop, "shop", "checkout")
    front.texts |= {"checkout-v1-a": istio_text("v1", 1_000), "checkout-v2-a": istio_text("v2", 50)}

    round_of(shop)
    later(3)
    round_of(shop)
    assert len(front.scraped()) == 2
    later(3)
    round_of(shop)
    assert len(front.scraped()) == 4


def test_collect__leased_by_another__not_done(shop: Cluster, front: Front) -> None:
    ring_due()
    Collector.objects.filter(pk=shop.pk).update(next_at=read_db_now(), lease_owner="other", lease_until=db_now(plus=60))

    assert not collect_cluster(shop.pk)
    assert front.asked == []


def test_collect__not_due__not_done_and_due_again_on_its_raster(shop: Cluster, front: Front) -> None:
    to_turn(shop)
    round_of(shop)

    row = Collector.objects.get(pk=shop.pk)
    left = (row.next_at - read_db_now()).total_seconds()
    assert 0 < left <= 60
    assert int(row.next_at.timestamp()) % 60 == shop.pk.int % 60
    assert not collect_cluster(shop.pk)
    assert (row.lease_owner, row.lease_until) == ("", None)


@pytest.mark.parametrize(
    "values", [{"next_try_at": dt.datetime(2030, 1, 1, tzinfo=dt.UTC)}, {"health": Health.IDENTITY_CHANGED}]
)
def test_ring__silent_or_other_cluster__left_alone(shop: Cluster, values: dict[str, object]) -> None:
    ring_due()
    Cluster.objects.filter(pk=shop.pk).update(**values)

    assert ring_due() == 0
    assert not collect_cluster(shop.pk)


def test_watch__new__makes_its_cluster_due_at_once(shop: Cluster, front: Front) -> None:
    to_turn(shop)
    round_of(shop)
    assert ring_due() == 0

    watch_service(shop, "shop", "checkout")

    assert ring_due() == 1


def test_watch__expired__service_is_left_alone(shop: Cluster, front: Front) -> None:
    watch_service(shop, "shop", "checkout", seconds=30)
    front.texts |= {"checkout-v1-a": istio_text("v1", 1_000), "checkout-v2-a": istio_text("v2", 50)}

    later(31)
    round_of(shop)

    assert front.scraped() == []
    assert not ProxyScrape.objects.exists()
