"""Charts: gaps stay gaps, no data is never 0, what the script draws is what the table says."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, engines
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from meshui.ui.charts import (
    SPARK_HEIGHT,
    SPARK_POINTS,
    SPARK_WIDTH,
    Chart,
    Limit,
    Marker,
    Series,
    amount,
    rate_text,
    resampled,
    spark_paths,
)
from meshui.ui.design_pictures import pictures_of

STATIC = Path(__file__).resolve().parents[2] / "static"
NOW = 1_790_000_000
TIMES = tuple(NOW - 60 + n * 15 for n in range(5))
POINT = re.compile(r"(-?[\d.]+),(-?[\d.]+)")


def drawn(source: str, **context: Any) -> str:
    template = engines["django"].engine.from_string("{% load pictures %}" + source)  # type: ignore[attr-defined]  # DjangoTemplates
    return str(template.render(Context(context)))


def chart(*points: float | None, **fields: Any) -> Chart:
    """Requests of one series, a point every 15 s, the last of them now."""
    times = TIMES[len(TIMES) - len(points) :]
    given = {"key": "rate", "title": "Traffic", "unit": "rate", "now": NOW, "times": times}
    return Chart(**given | {"series": (Series("v1", points),)} | fields)  # type: ignore[arg-type]  # the fields of the class


def test_data__gap__null_and_never_zero() -> None:
    data = chart(1.0, None, 3.0).data()

    assert data["y"] == [[1.0, None, 3.0]]
    assert "NaN" not in json.dumps(chart(float("nan"), 1.0).data())


def test_data__two_series__one_x_in_seconds_for_both() -> None:
    data = chart(series=(Series("v1", (1.0,) * 5), Series("v2", (2.0,) * 5)), times=TIMES).data()

    assert data["x"] == list(TIMES)
    assert data["y"] == [[1.0] * 5, [2.0] * 5]


def test_data__times_with_a_hole__an_empty_point_in_it_so_that_no_line_runs_through() -> None:
    times = (NOW - 300, NOW - 285, NOW - 15, NOW)

    data = chart(1.0, 2.0, 3.0, 4.0, times=times).data()

    assert data["x"] == [NOW - 300, NOW - 285, NOW - 270, NOW - 15, NOW]
    assert data["y"] == [[1.0, 2.0, None, 3.0, 4.0]]


def test_data__success__in_percent_with_its_limit() -> None:
    data = chart(0.9994, 1.0, unit="success", limit=Limit("limit", 0.998)).data()

    assert data["y"] == [[99.94, 100.0]]
    assert data["limit"] == 99.8


def test_data__change__marked_by_its_number() -> None:
    assert chart(1.0, markers=(Marker(NOW - 30, 1479, "/changes/1479/"),)).data()["marks"] == [[NOW - 30, "#1479"]]


def test_bands__no_data_at_start_middle_and_end__each_until_the_next_point() -> None:
    times = tuple(NOW - 300 + 15 * n for n in range(18))
    points = (*[None] * 4, 1.0, 1.0, *[None] * 3, *[2.0] * 9)

    bands = chart(*points, times=times).bands

    assert bands == [(times[0], times[4]), (times[5], times[9]), (times[17], NOW)]


def test_bands__all_there__none() -> None:
    assert chart(1.0, 2.0, 3.0, 4.0, 5.0).bands == []


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (chart(1.0, 2.0), "live"),
        (chart(1.0, None, None, None, None, now=NOW + 20), "stale"),
        (chart(None, None), "none"),
        (chart(), "none"),
        (chart(is_loading=True), "loading"),
    ],
    ids=["live", "old", "all gaps", "no point", "on its way"],
)
def test_state__of_the_points__says_what_is_known(given: Chart, state: str) -> None:
    assert given.state == state


def test_sentence__two_series__last_lowest_and_highest_of_each() -> None:
    said = chart(5.0, 20.0, 12.0, series=(Series("v1", (5.0, 20.0, 12.0)), Series("v2", (None,) * 3))).sentence

    assert "v1: last 12, lowest 5.00, highest 20." in said
    assert "v2: no data." in said


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.4, "rate", "0.40"),
        (0.001, "rate", "<0.01"),
        (0, "rate", "0"),
        (34_120, "rate", "34.1k"),
        (0.99999, "success", "99.99"),
        (1.0, "success", "100.00"),
        (0.9994, "success", "99.94"),
        (583.6, "latency", "584"),
        (0.4, "saturation", "40"),
        (None, "success", "\u2013"),
        (float("nan"), "rate", "\u2013"),
    ],
)
def test_amount__of_a_unit__written_as_people_read_it(value: float | None, unit: Any, text: str) -> None:
    assert amount(value, unit) == text


def test_rate_text__not_known__no_data() -> None:
    assert rate_text(None) == "no data"
    assert rate_text(0.0) == "0/s"


def test_spark_paths__gap__the_line_ends_and_begins_anew() -> None:
    line, area = spark_paths([1.0, 2.0, None, None, 3.0, 1.0])

    assert line.count("M") == 2
    assert area.count("Z") == 2


def test_spark_paths__one_point_between_gaps__is_seen() -> None:
    line, _ = spark_paths([None, 1.0, None])

    assert line.startswith("M")
    assert "h.1" in line


def test_spark_paths__nothing_known__nothing_drawn() -> None:
    assert spark_paths([None, None]) == ("", "")
    assert spark_paths([]) == ("", "")


@given(st.lists(st.none() | st.floats(-1e9, 1e9), max_size=200))
def test_spark_paths__anything__within_the_picture(points: list[float | None]) -> None:
    for path in spark_paths(points):
        for x, y in POINT.findall(path):
            assert 0 <= float(x) <= SPARK_WIDTH
            assert 0 <= float(y) <= SPARK_HEIGHT


def test_resampled__more_than_fit__sixty_with_gaps_where_nothing_is_known() -> None:
    points: list[float | None] = [1.0] * 60 + [None] * 60 + [3.0] * 60

    found = resampled(points)

    assert len(found) == SPARK_POINTS
    assert found == [1.0] * 20 + [None] * 20 + [3.0] * 20


def test_sparkline__language_with_a_decimal_comma__the_path_stays() -> None:
    source, points = "{% sparkline points %}", [1.0, 2.5, 1.25]

    with translation.override("de"):
        html = drawn(source, points=points)

    assert html == drawn(source, points=points)
    assert 'aria-hidden="true"' in html
    assert "style" not in html


def test_signal_card__live__plot_data_and_the_same_points_as_a_table() -> None:
    given = chart(1000.0, None, 1932.0, value=1932, source="Prometheus <eu>")

    html = " ".join(drawn("{% signal_card chart %}", chart=given).split())

    found = re.search(r'<script id="plot-rate" type="application/json">(.*?)</script>', html)
    assert found
    assert json.loads(found[1])["y"] == [[1000.0, None, 1932.0]]
    assert 'data-plot="plot-rate" role="img" aria-label="Traffic in requests/s' in html
    assert re.findall(r'<td class="r num">([^<]*)</td>', html) == ["1,932", "\u2013", "1,000"]
    assert "Prometheus &lt;eu&gt;" in html
    assert "style=" not in html


def test_signal_card__hostile_names__stay_text() -> None:
    html = drawn(
        "{% signal_card chart %}{% plot_legend chart %}", chart=chart(1.0, series=(Series("</script><b>", (1.0,)),))
    )

    assert "<b>" not in html
    assert html.count("</script>") == 1


def test_signal_card__no_data__says_since_when_and_no_number() -> None:
    since = dt.datetime.fromtimestamp(NOW - 240, dt.UTC)

    html = drawn("{% signal_card chart %}", chart=chart(None, None, no_data_since=since, value=0))

    assert "No data since" in html
    assert "data-plot" not in html
    assert "requests/s" not in html


def test_signal_card__on_its_way__busy_with_its_height_reserved() -> None:
    html = drawn("{% signal_card chart %}", chart=chart(is_loading=True))

    assert 'aria-busy="true"' in html
    assert 'class="plot skeleton"' in html


def test_design__its_charts__show_every_state() -> None:
    shown = pictures_of(dt.datetime.fromtimestamp(NOW, dt.UTC))

    assert {each.state for each in (*shown["charts"], *shown["more_charts"])} == {"live", "stale", "none", "loading"}


def test_script__gaps__are_not_spanned_and_nothing_is_evaluated() -> None:
    script = (STATIC / "charts.js").read_text(encoding="utf-8")

    assert "spanGaps: false" in script
    assert "eval" not in script
    assert "innerHTML" not in script
