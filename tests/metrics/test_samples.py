"""Counters as proxies tell them: parsing, keeping, and the rates of Prometheus."""

from __future__ import annotations

import math
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes.types import LabelMatch, Way
from metrics.samples import (
    KEPT,
    MOST_SERIES,
    BadSamplesError,
    History,
    SampledRates,
    Target,
    labels_of,
    parse_samples,
    rate,
)

WANTED = frozenset({"requests_total"})
WAY = Way("server", "requests_total", (), (("service", "service"),))


def test_parse__text_of_a_proxy__wanted_metrics_alone() -> None:
    text = (
        "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
        'requests_total{service="a",path="/x{y} \\"z\\" \\\\"} 12 1790000000000\n'
        "requests_total 3e2\n"
        'requests_total{service="b",} 4 # {trace_id="x"} 1\n'
        "requests_total_other 9\nother{} 7\nnot a line of ours at all\n"
    )

    found = parse_samples(text, WANTED)

    assert list(found.values()) == [12, 300, 4]
    assert labels_of(next(iter(found))) == {"service": "a", "path": '/x{y} "z" \\'}


@pytest.mark.parametrize("value", ["NaN", "nan"])
def test_parse__value_that_is_none__left_out(value: str) -> None:
    assert parse_samples(f"requests_total {value}\n", WANTED) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('requests_total{service="a"} 12', "cut"),
        ('requests_total{service="a} 12\n', "text format"),
        ("requests_total{service=a} 12\n", "text format"),
        ("requests_total twelve\n", "no number"),
        ('requests_total{service="' + "a" * 20_000 + '"} 1\n', "text format"),
        ("<html>requests_total", "cut"),
    ],
)
def test_parse__not_the_text_format__refused(text: str, why: str) -> None:
    with pytest.raises(BadSamplesError, match=why):
        parse_samples(text, WANTED)


def test_parse__too_many_series__refused() -> None:
    text = "".join(f'requests_total{{service="{number}"}} 1\n' for number in range(MOST_SERIES + 1))

    with pytest.raises(BadSamplesError, match="10,000"):
        parse_samples(text, WANTED)


def test_rate__even_growth__that_growth() -> None:
    points = [(float(at), at * 7.0) for at in range(0, 61, 15)]

    assert rate(points, 0, 60) == pytest.approx(7.0)


def test_rate__restart__what_came_after_it_is_new() -> None:
    points = [(0.0, 100.0), (15.0, 130.0), (30.0, 10.0), (45.0, 40.0), (60.0, 70.0)]

    assert rate(points, 0, 60) == pytest.approx((30 + 10 + 30 + 30) / 60)


def test_rate__begins_late__carried_on_by_half_a_distance_only() -> None:
    points = [(40.0, 100.0), (50.0, 110.0), (60.0, 120.0)]

    assert rate(points, 0, 60) == pytest.approx(20 * (25 / 20) / 60)


def test_rate__would_begin_below_zero__carried_back_to_zero_only() -> None:
    points = [(5.0, 1.0), (30.0, 26.0), (55.0, 51.0)]

    assert rate(points, 0, 60) == pytest.approx(50 * (50 + 1 + 5) / 50 / 60)


@pytest.mark.parametrize("points", [[], [(30.0, 5.0)], [(30.0, 5.0), (30.0, 9.0)]])
def test_rate__fewer_than_two_moments__none(points: list[tuple[float, float]]) -> None:
    assert rate(points, 0, 60) is None


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=KEPT))
def test_rate__whatever_the_restarts__finite_and_never_negative(values: list[float]) -> None:
    points = [(float(15 * number), value) for number, value in enumerate(values)]

    found = rate(points, -3.0, 15.0 * len(values))

    assert found is not None
    assert math.isfinite(found)
    assert found >= 0


def test_history__scrape_missed__window_spans_it() -> None:
    history = History()
    for at, value in ((0.0, 10.0), (15.0, 40.0), (45.0, 100.0), (60.0, 130.0)):
        history.add(at, {"requests_total": value}, window=200)

    [(_, points)] = history.points(0, 60, "requests_total")

    assert rate(points, 0, 60) == pytest.approx(2.0)


def test_history__packed_and_unpacked__the_same() -> None:
    history = History()
    history.add(1.0, {'requests_total{a="b"}': 1.0}, window=200)
    history.add(16.0, {'requests_total{a="b"}': 3.0, "requests_total": 7.5}, window=200)

    assert History.unpack(history.pack()) == history
    assert History.unpack(b"") == History()


@pytest.mark.parametrize("data", [b"", b"no zlib", zlib.compress(b"no msgpack"), zlib.compress(b"\x93\x01\x02\x03")])
def test_history__bytes_of_something_else__nothing_is_known(data: bytes) -> None:
    assert History.unpack(data) == History()


def test_history__grows_on__old_scrapes_are_forgotten() -> None:
    history = History()
    for number in range(40):
        history.add(15.0 * number, {"requests_total": float(number)}, window=60)

    assert [at for at, _ in history.scrapes] == [525.0, 540.0, 555.0, 570.0, 585.0]


def test_history__more_scrapes_than_are_kept__still_span_the_window() -> None:
    history = History()
    for turn in range(25):
        history.add(5.0 * turn, {"requests_total": 50.0 * turn}, window=60)

    times = [at for at, _ in history.scrapes]
    assert len(times) == KEPT
    assert (times[0], times[-1]) == (60.0, 120.0)
    assert max(b - a for a, b in pairwise(times)) <= 15.0


@pytest.mark.parametrize("known", [15.0, 30.0, 45.0, 60.0, 90.0])
def test_sums__proxy_asked_for_so_long__true_rate_from_the_second_scrape_on(known: float) -> None:
    history = History()
    for turn in range(round(known / 15) + 1):
        history.add(15.0 * turn, {"requests_total": 1_000 + 150.0 * turn}, window=60)

    found = SampledRates([Target({}, history)], at=known + 1, window=60.0).sums(WAY, {})

    assert sum(found.values()) == pytest.approx(10.0, rel=0.01)


@pytest.mark.parametrize("value", ["1e300", "-1e300", "+Inf", "NaN"])
def test_parse__absurd_value__left_out(value: str) -> None:
    assert parse_samples(f"requests_total {value}\nother_total 1\n", {"requests_total", "other_total"}) == {
        "other_total": 1.0
    }


def test_history__clock_goes_back__later_scrapes_are_forgotten() -> None:
    history = History()
    for at in (100.0, 115.0, 90.0):
        history.add(at, {"requests_total": at}, window=60)

    assert [at for at, _ in history.scrapes] == [90.0]


def target(samples: list[dict[str, float]], stands_for: float = 1.0, **labels: str) -> Target:
    """A proxy that was asked every 15 s."""
    return Target(labels, History([(15.0 * number, one) for number, one in enumerate(samples)]), stands_for)


def test_sums__two_proxies__added_up_and_scaled() -> None:
    rates = SampledRates(
        [
            target([{'requests_total{service="a"}': 15.0 * n} for n in range(5)]),
            target([{'requests_total{service="a"}': 30.0 * n} for n in range(5)], stands_for=3.0),
        ],
        at=60.0,
        window=60.0,
    )

    assert rates.sums(WAY, {"service": {"a"}}) == {("a",): pytest.approx(1.0 + 3 * 2.0)}


def test_sums__series_that_appears_late__first_sample_is_no_growth() -> None:
    late = [{}, {}, {}, {'requests_total{service="a"}': 1_000.0}, {'requests_total{service="a"}': 1_001.0}]

    [found] = SampledRates([target(late)], 60.0, 60.0).sums(WAY, {}).values()

    assert found < 1.0


def test_sums__labels_of_the_collector__win_over_those_of_the_proxy() -> None:
    way = Way("server", "requests_total", (), (("namespace", "namespace"),))
    told = [{'requests_total{namespace="lies"}': 15.0 * n} for n in range(5)]

    found = SampledRates([target(told, namespace="shop")], 60.0, 60.0).sums(way, {"namespace": {"shop", "lies"}})

    assert found.keys() == {("shop",)}


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (LabelMatch("code", "200"), True),
        (LabelMatch("code", "20"), False),
        (LabelMatch("code", "5..", "!~"), True),
        (LabelMatch("code", "20", "=~"), False),
        (LabelMatch("code", "2..", "=~"), True),
        (LabelMatch("absent", ""), True),
        (LabelMatch("absent", "", "!="), False),
        (LabelMatch("code", "", "!="), True),
    ],
)
def test_sums__condition__as_prometheus_has_it(match: LabelMatch, holds: bool) -> None:  # noqa: FBT001 - a table's column
    way = Way("server", "requests_total", (match,), (("service", "service"),))
    told = [{'requests_total{service="a",code="200"}': 15.0 * n} for n in range(5)]

    assert bool(SampledRates([target(told)], 60.0, 60.0).sums(way, {})) == holds
