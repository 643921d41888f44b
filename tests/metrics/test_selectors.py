"""What pages ask: values with their age, gaps, sums, the split of a window; in so many queries, and within scopes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.models import Cluster
from meshes.types import Grain
from meshui.lib import clock
from meshui.lib.clock import now
from metrics.models import Collector, Point, Series, Watched
from metrics.selectors import (
    fleet_line,
    fleet_signals,
    get_signals,
    list_in_span,
    list_points,
    list_readings,
    observe_service,
)
from metrics.services import prune, watch_service
from metrics.services.keeping import keep, on_raster, phase_of, turn_of
from metrics.types import Golden, Measurement, Name, Span
from tests.meshes.rows import cluster as make_cluster
from tests.metrics.conftest import later
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mid_minute")]


@pytest.fixture
def eu(db: None) -> Cluster:
    """A cluster with nothing measured."""
    return make_cluster("eu")


def measured(
    rate: float = 40.0, *, service: str = "checkout", success: float | None = 0.99, p99: float | None = 120.0
) -> dict[Name, Golden]:
    """A service, its backends 90/10 and its caller."""
    golden = Golden(rate, success, 5.0, 50.0, p99)
    return {
        Name("shop", service, Grain.SERVICE): golden,
        Name("shop", service, Grain.BACKEND, f"shop/{service}#v1"): Golden(rate * 0.9, 1.0),
        Name("shop", service, Grain.BACKEND, f"shop/{service}#v2"): Golden(rate * 0.1, 0.9),
        Name("shop", service, Grain.EDGE, "shop/web"): Golden(rate),
    }


def store(cluster: Cluster, found: dict[Name, Golden], *, ago: float = 0, step: int = 15, share: float = 1.0) -> None:
    """As a round that long ago would have kept it."""
    shares = {(name.namespace, name.service): share for name in found}
    at = now() - dt.timedelta(seconds=ago)
    turn = at + phase_of(step, cluster.pk)  # its own second of the raster
    keep(cluster, Measurement(found, "Prometheus x", shares), begun=turn, at=at, step=step, rasters=(step,))


def queries_of(function: Callable[[], object]) -> int:
    """How many it sends."""
    with CaptureQueriesContext(
        connection,
    ) as sent:
        function()
    return len(sent)


def test_signals__measured_just_now__live_with_age_source_and_share(eu: Cluster) -> None:
    store(eu, measured(), ago=7, share=0.5)

    found = get_signals(eu, "shop", "checkout")

    service = found.service
    assert (service.state, service.source, service.share, found.why) == ("live", "Prometheus x", 0.5, "")
    assert service.golden == Golden(40.0, 0.99, 5.0, 50.0, 120.0)
    assert service.age_seconds == pytest.approx(7, abs=1)
    assert list(found.backends) == ["shop/checkout#v1", "shop/checkout#v2"]
    assert queries_of(lambda: get_signals(eu, "shop", "checkout")) == 1


@pytest.mark.parametrize(
    ("step", "ago", "state"), [(15, 74, "live"), (15, 77, "stale"), (60, 148, "live"), (60, 152, "stale")]
)
def test_signals__by_age__live_or_stale(eu: Cluster, step: int, ago: float, state: str) -> None:
    store(eu, measured(), ago=ago, step=step)

    reading = get_signals(eu, "shop", "checkout").service

    assert (reading.state, reading.is_live) == (state, state == "live")
    assert reading.golden is not None


def test_signals__never_measured__none_with_the_reason_and_never_zero(eu: Cluster) -> None:
    moment = now()
    Collector.objects.create(cluster=eu, next_at=moment, minute_at=moment, problem="Pods of shop may not be listed.")

    found = get_signals(eu, "shop", "checkout")

    assert (found.service.golden, found.service.state, found.service.at) == (None, "none", None)
    assert found.why == "Pods of shop may not be listed."


def test_readings__of_a_page__one_query_whatever_the_number(eu: Cluster) -> None:
    names = [("shop", f"s{number}") for number in range(40)]
    for _, name in names:
        store(eu, {Name("shop", name, Grain.SERVICE): Golden(3.0)})

    found = list_readings([eu], names[:25])

    assert len(found) == 25
    assert found[eu.pk, "shop", "s7"].is_live
    assert queries_of(lambda: list_readings([eu], names)) == 1


def test_points__some_moments_missed__gaps_between_values(eu: Cluster) -> None:
    for ago in (0, 15, 45, 60):
        store(eu, measured(40.0 + ago), ago=ago)

    service, first, second = list_points(eu, "shop", "checkout", step=15, minutes=2)

    assert len(service.times) == len(service.rate) == 8
    assert service.times[-1] == int(on_raster(now(), 15).timestamp())
    assert service.rate[-5:] == (100.0, 85.0, None, 55.0, 40.0)
    assert service.rate[0] is None
    assert (first.name.part, second.name.part) == ("shop/checkout#v1", "shop/checkout#v2")
    assert queries_of(lambda: list_points(eu, "shop", "checkout")) == 2


def test_points__step_not_said__the_finer_one_once_it_tells_as_much_of_the_span(eu: Cluster) -> None:
    def step_of_15_minutes() -> int:
        return list_points(eu, "shop", "checkout", step=None, minutes=15)[0].step_seconds

    store(eu, measured(40.0), step=60)
    store(eu, measured(40.0), step=60, ago=60)
    store(eu, measured(40.0), ago=15)
    assert step_of_15_minutes() == 60

    for ago in (0, 30, 45, 60, 75, 90, 105):
        store(eu, measured(40.0), ago=ago)
    assert step_of_15_minutes() == 15
    assert queries_of(lambda: list_points(eu, "shop", "checkout", step=None)) == 2


@pytest.mark.parametrize(("step", "minutes"), [(7, 10), (15, 121), (60, 1_441), (15, 0)])
def test_points__raster_that_is_not_kept__refused(eu: Cluster, step: int, minutes: int) -> None:
    with pytest.raises(ValueError, match="not kept"):
        list_points(eu, "shop", "checkout", step=step, minutes=minutes)


def test_fleet__sums_of_what_is_live__success_weighted_by_requests(eu: Cluster) -> None:
    us = make_cluster("us")
    store(eu, measured(90.0, success=1.0, p99=80.0))
    store(us, measured(10.0, success=0.5, p99=900.0))
    store(us, measured(500.0, service="old", success=0.0, p99=9_000.0), ago=100)
    store(us, measured(0.0, service="idle", success=None, p99=None))

    found = fleet_signals([eu, us])

    assert (found.rate, found.live, found.known) == (100.0, 3, 4)
    assert found.success == pytest.approx(0.95)
    assert found.slowest is not None
    assert (found.slowest.golden.p99_ms if found.slowest.golden else None) == 900.0
    assert queries_of(lambda: fleet_signals([eu, us])) == 3


def test_fleet__nothing_live__none_and_not_zero(eu: Cluster) -> None:
    store(eu, measured(), ago=300)

    found = fleet_signals([eu])

    assert (found.rate, found.success, found.slowest, found.live, found.known) == (None, None, None, 0, 1)


def test_fleet__other_cluster__not_counted(eu: Cluster) -> None:
    store(make_cluster("us"), measured())

    assert fleet_signals([eu]).known == 0
    assert list_in_span([eu], Span(), [Grain.EDGE]) == []
    assert list_readings([eu], [("shop", "checkout")]) == {}


def test_fleet__reader_of_one_namespace__that_alone(eu: Cluster) -> None:
    reader = make_person("nina", ["viewer"], scope={"namespace": ["apps"]})
    store(eu, measured())
    store(eu, {Name("apps", "cart", Grain.SERVICE): Golden(7.0), Name("apps", "cart", Grain.EDGE, "x/y"): Golden(7.0)})

    assert fleet_signals([eu], user=reader).rate == 7.0
    assert [value for value in fleet_line([eu], user=reader).rate if value is not None] == []


def test_edges__live_ones__busiest_first(eu: Cluster) -> None:
    store(eu, measured(5.0))
    store(eu, measured(50.0, service="cart"))
    store(eu, measured(500.0, service="old"), ago=200)

    found = list_in_span(Cluster.objects.all(), Span(), [Grain.EDGE])

    assert [(slug, reading.name.service, reading.name.part) for slug, reading in found] == [
        ("eu", "cart", "shop/web"),
        ("eu", "checkout", "shop/web"),
    ]
    assert queries_of(lambda: list_in_span([eu], Span(), [Grain.EDGE], services=[("shop", "cart")])) == 1
    assert list_in_span([eu], Span(), [Grain.EDGE], services=[("other", "cart")]) == []


def test_fleet_line__minutes_of_all_services__summed_with_gaps(eu: Cluster) -> None:
    for ago in (60, 180):
        store(eu, measured(10.0), ago=ago, step=60)
        store(eu, measured(30.0, service="cart", success=0.59), ago=ago, step=60)

    line = fleet_line([eu], minutes=5)

    assert line.rate == (None, None, 40.0, None, 40.0)
    assert line.success[-1] == pytest.approx((10 * 0.99 + 30 * 0.59) / 40)
    assert queries_of(lambda: fleet_line([eu])) == 1


def test_fleet_line__minute_in_which_some_had_their_turn__not_told_yet(eu: Cluster) -> None:
    us = make_cluster("us")
    for cluster in (eu, us):
        store(cluster, measured(10.0), ago=60, step=60)
    store(eu, measured(10.0), ago=0, step=60)

    assert fleet_line([eu, us], minutes=3).rate == (None, None, 20.0)


def test_keep__twice_in_one_moment_of_the_raster__one_point(eu: Cluster) -> None:
    store(eu, measured(10.0))
    store(eu, measured(20.0))

    assert Series.objects.count() == 4
    assert Point.objects.count() == 4
    assert Series.objects.get(grain=Grain.SERVICE).rate == 20.0


@pytest.mark.parametrize(("second", "turn"), [(13, -15), (14, 0), (28, 0), (29, 15)])
def test_turn_of__cluster_whose_second_is_14__until_the_next_14(second: int, turn: int) -> None:
    minute = on_raster(now(), 60)

    found = turn_of(minute + dt.timedelta(seconds=second), 15, UUID(int=14))

    assert found == minute + dt.timedelta(seconds=turn)


def test_keep__round_that_took_long__point_of_the_turn_in_which_it_began(eu: Cluster) -> None:
    begun = on_raster(now(), 60) + phase_of(15, eu.pk)
    found = Measurement(measured(10.0), "x")

    keep(eu, found, begun=begun, at=begun + dt.timedelta(seconds=20), step=15, rasters=(15,))

    assert set(Point.objects.values_list("at", flat=True)) == {on_raster(now(), 60)}
    assert Series.objects.get(grain=Grain.SERVICE).at == begun + dt.timedelta(seconds=20)


def test_keep__a_thousand_series__few_queries(eu: Cluster) -> None:
    found = {Name("shop", f"s{number}", Grain.SERVICE): Golden(1.0) for number in range(1_000)}

    count = queries_of(lambda: keep(eu, Measurement(found, "x"), begun=now(), at=now(), step=60, rasters=(60,)))

    assert Point.objects.count() == 1_000
    assert count <= 30  # in parts of 200 and 500, and SQLite's own bound on parameters


def test_prune__by_raster__each_kept_for_its_time(eu: Cluster) -> None:
    for step in (15, 60):
        store(eu, measured(), step=step)
    watch_service(eu, "shop", "checkout")

    later(2 * 3600 + 60)
    store(eu, measured())
    prune()
    assert set(Point.objects.filter(at__lt=now() - dt.timedelta(hours=1)).values_list("step", flat=True)) == {60}
    assert not Watched.objects.exists()

    later(24 * 3600 + 60)
    prune()
    assert not Point.objects.exists()
    assert not Series.objects.exists()


def window(minutes: float) -> tuple[dt.datetime, dt.datetime]:
    """Up to now."""
    return now() - dt.timedelta(minutes=minutes), now()


def test_observe__measured_window__as_approved_or_not(eu: Cluster) -> None:
    for ago in range(0, 300, 15):
        store(eu, measured(40.0), ago=ago)
    ninety, fifty = (
        {"shop/checkout#v1": 9_000, "shop/checkout#v2": 1_000},
        {"shop/checkout#v1": 5_000, "shop/checkout#v2": 5_000},
    )

    good = observe_service(eu, "shop", "checkout", approved=ninety, window=window(5))
    bad = observe_service(eu, "shop", "checkout", approved=fifty, window=window(5))

    assert (good.answer, bad.answer) == ("observed", "mismatch")
    assert good.requests == pytest.approx(40 * 240, rel=0.1)


def test_observe__shortly_after_the_switch__first_minute_is_left_out(eu: Cluster) -> None:
    for ago in range(0, 180, 15):
        before = ago > 120
        part = 0.9 if before else 0.5
        names = [Name("shop", "checkout", Grain.BACKEND, f"shop/checkout#v{n}") for n in (1, 2)]
        store(eu, {names[0]: Golden(100 * part), names[1]: Golden(100 * (1 - part))}, ago=ago)
    approved = {"shop/checkout#v1": 5_000, "shop/checkout#v2": 5_000}

    assert observe_service(eu, "shop", "checkout", approved=approved, window=window(3)).answer == "observed"


def test_observe__sampled__counts_what_was_really_counted(eu: Cluster) -> None:
    for ago in range(0, 300, 15):
        store(eu, measured(40.0), ago=ago, share=0.25)
    approved = {"shop/checkout#v1": 9_000, "shop/checkout#v2": 1_000}

    found = observe_service(eu, "shop", "checkout", approved=approved, window=window(5))

    assert found.requests == pytest.approx(40 * 240 / 4, rel=0.1)


@pytest.mark.parametrize(("minutes", "why"), [(1, "too short"), (5, "were not measured")])
def test_observe__no_points__cannot_be_observed_with_the_reason(eu: Cluster, minutes: float, why: str) -> None:
    found = observe_service(eu, "shop", "checkout", approved={"a": 5_000, "b": 5_000}, window=window(minutes))

    assert found.answer == "cannot be observed"
    assert why in found.reason


@pytest.mark.parametrize("kept", [0, 6])
def test_observe__backend_hardly_measured__cannot_be_observed_and_no_mismatch(eu: Cluster, kept: int) -> None:
    one, two = (Name("shop", "checkout", Grain.BACKEND, f"shop/checkout#v{n}") for n in (1, 2))
    for turn in range(20):
        store(eu, {one: Golden(36.0), **({two: Golden(4.0)} if turn < kept else {})}, ago=15 * turn)

    found = observe_service(eu, "shop", "checkout", approved={one.part: 9_000, two.part: 1_000}, window=window(5))

    assert found.answer == "cannot be observed"
    assert found.reason.startswith("What shop/checkout#v2 got is not known")


def test_observe__backend_that_gets_nothing_by_the_change__need_not_be_measured(eu: Cluster) -> None:
    one, two = (Name("shop", "checkout", Grain.BACKEND, f"shop/checkout#v{n}") for n in (1, 2))
    for turn in range(20):
        store(eu, {one: Golden(36.0)}, ago=15 * turn)

    found = observe_service(eu, "shop", "checkout", approved={one.part: 10_000, two.part: 0}, window=window(5))

    assert found.answer == "observed"


def test_observe__half_of_the_window_missing__cannot_be_observed(eu: Cluster) -> None:
    for ago in range(0, 120, 15):
        store(eu, measured(40.0), ago=ago)

    found = observe_service(
        eu, "shop", "checkout", approved={"shop/checkout#v1": 9_000, "shop/checkout#v2": 1_000}, window=window(10)
    )

    assert found.answer == "cannot be observed"


def test_watch__again_and_again__writes_once_in_a_while(eu: Cluster) -> None:
    watch_service(eu, "shop", "checkout")

    assert queries_of(lambda: watch_service(eu, "shop", "checkout")) == 1
    later(50)
    watch_service(eu, "shop", "checkout")
    assert Watched.objects.get().until > clock.now() + dt.timedelta(seconds=60)
