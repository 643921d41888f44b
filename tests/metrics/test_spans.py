"""Means over a span of time: of now, of an earlier moment, of what nobody measured."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from meshes.types import Grain
from meshui.lib.clock import now
from metrics.models import Point, Series
from metrics.selectors import cluster_sums, list_in_span, oldest_kept
from metrics.services.keeping import on_raster
from metrics.types import Span
from tests.traffic.factories import make_cluster
from tests.traffic.measuring import draw, make_series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.models import Cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mid_minute")]


@pytest.fixture(autouse=True)
def several_rows() -> Iterator[None]:
    """A test makes rows one by one: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def eu() -> Cluster:
    """A cluster with nothing measured."""
    return make_cluster()


def ago(minutes: float) -> dt.datetime:
    return on_raster(now(), 60) - dt.timedelta(minutes=minutes)


def rates(cluster: Cluster, span: Span) -> list[float]:
    found = list_in_span([cluster], span, [Grain.SERVICE])
    return [reading.golden.rate for _, reading in found if reading.golden]


def test_list_in_span__last_minute_until_now__the_latest_that_are_live(eu: Cluster) -> None:
    make_series(eu, Grain.SERVICE, "", 7.0)
    make_series(eu, Grain.SERVICE, "", 9.0, service="old", age=600)

    assert rates(eu, Span()) == [7.0]


def test_list_in_span__minutes_with_a_gap__mean_of_what_was_measured(eu: Cluster) -> None:
    draw(make_series(eu, Grain.SERVICE, "", 0.0), [2.0, None, None, 4.0])

    assert rates(eu, Span(5)) == [3.0]
    assert rates(eu, Span(5, ago(3))) == [2.0]


def test_list_in_span__earlier_minute__what_was_then_and_of_either_raster(eu: Cluster) -> None:
    series = make_series(eu, Grain.SERVICE, "", 0.0)
    draw(series, [1.0, 2.0, 3.0, 4.0, 5.0])
    Point.objects.create(series=series, step=15, at=ago(2) - dt.timedelta(seconds=30), rate=6.0)

    assert rates(eu, Span(1, ago(3))) == [2.0]
    assert rates(eu, Span(1, ago(2) - dt.timedelta(seconds=15)))[0] == pytest.approx(4.0)
    assert rates(eu, Span(1, ago(30))) == []


def test_list_in_span__success__counts_by_its_requests(eu: Cluster) -> None:
    series = make_series(eu, Grain.SERVICE, "", 0.0)
    for minutes, rate, success in ((2, 30.0, 1.0), (1, 10.0, 0.6), (0, 5.0, None)):
        Point.objects.create(series=series, step=60, at=ago(minutes), rate=rate, success=success, p99_ms=minutes * 10)

    ((slug, reading),) = list_in_span([eu], Span(5), [Grain.SERVICE])

    assert slug == "eu-west"
    assert reading.golden is not None
    assert reading.golden.rate == 15.0
    assert reading.golden.success == pytest.approx(0.9)
    assert reading.golden.p99_ms == 20
    assert reading.at == ago(0)
    assert reading.golden.p50_ms is None


def test_list_in_span__names_that_are_wanted__those_alone(eu: Cluster) -> None:
    for service in ("web", "cart"):
        draw(make_series(eu, Grain.SERVICE, "", 0.0, service=service), [1.0])
    draw(make_series(eu, Grain.EDGE, "shop/web", 0.0, service="cart"), [1.0])

    found = list_in_span([eu], Span(5), [Grain.SERVICE], services=[("shop", "cart")])

    assert [reading.name.service for _, reading in found] == ["cart"]


def test_cluster_sums__of_a_span__mean_of_the_sums_of_its_minutes(eu: Cluster) -> None:
    draw(make_series(eu, Grain.SERVICE, "", 0.0, service="web"), [10.0, 20.0])
    draw(make_series(eu, Grain.SERVICE, "", 0.0, service="cart"), [30.0])
    draw(make_series(eu, Grain.EDGE, "shop/web", 0.0, service="cart"), [500.0])

    sums = cluster_sums(Series.objects.filter(cluster=eu), Span(5))

    assert sums[eu.pk].rate == 30.0
    assert sums[eu.pk].live == 2
    assert cluster_sums(Series.objects.filter(cluster=eu), Span(5, ago(60))) == {}


def test_oldest_kept__nothing_measured__nothing(eu: Cluster) -> None:
    assert oldest_kept([eu]) is None

    draw(make_series(eu, Grain.SERVICE, "", 0.0), [1.0, 2.0, 3.0])

    assert oldest_kept([eu]) == ago(2)
