"""The golden signals of a service on its page: of which cluster, which lines, which shares, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.rights import Held
from meshui.lib.clock import now
from meshui.lib.errors import MissingError
from metrics.models import Point, Watched
from tests.people import make_person
from tests.traffic.factories import checkout_route, in_review, in_state, make_cluster, make_route
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.measures import USUAL, Measures, measures_of
from traffic.sight import Sight

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]
PAGE = "/services/all/shop/checkout/signals/"


def found(user: User, at: str = "", minutes: int = 60) -> Measures:
    return measures_of(Sight(Held(user)), user, "all", ("shop", "checkout"), at=at, minutes=minutes)


def test_measures__nothing_asked_for__busiest_cluster(eu: Cluster, viewer: User) -> None:
    us = make_cluster("us-east")
    make_route(us)
    measure(eu, 3.0)
    measure(us, 30.0)

    assert found(viewer).here.cluster.slug == "us-east"
    assert found(viewer, at="eu-west").here.cluster.slug == "eu-west"
    assert [(spot.slug, spot.is_chosen) for spot in found(viewer).spots] == [("eu-west", False), ("us-east", True)]


def test_measures__backends_measured__a_line_each_in_the_order_of_the_split(eu: Cluster, viewer: User) -> None:
    draw(measure(eu, 10.0), [10.0, 10.0])
    draw(measure(eu, 1.0, V2), [1.0, 1.0])
    draw(measure(eu, 9.0, V1), [9.0, None])

    rate = found(viewer).charts[0]

    assert [series.name for series in rate.series] == ["v1", "v2"]
    assert [series.points[-2:] for series in rate.series] == [(9.0, None), (1.0, 1.0)]
    assert (rate.value, rate.state) == (10.0, "live")


def test_measures__shares__measured_beside_configured(eu: Cluster, viewer: User) -> None:
    measure(eu, 100.0)
    measure(eu, 90.5, V1)
    measure(eu, 9.5, V2)

    rows = found(viewer).shares

    assert [(row.name, row.weight_bp, row.measured_bp, row.is_off) for row in rows] == [
        ("v1", 9000, 9050, False),
        ("v2", 1000, 950, False),
    ]


def test_measures__backend_that_gets_requests_not_measured__no_share_of_the_others(eu: Cluster, viewer: User) -> None:
    measure(eu, 90.0, V1)

    assert [share.measured for share in found(viewer).shares] == [None, None]


def test_measures__requests_go_elsewhere__row_says_so(eu: Cluster, viewer: User) -> None:
    measure(eu, 100.0)
    measure(eu, 60.0, V1)
    measure(eu, 40.0, V2)

    assert [row.is_off for row in found(viewer).shares] == [True, True]


def test_measures__rates_look_back_longer__more_requests_counted_and_said(
    eu: Cluster, viewer: User, settings: Any
) -> None:
    measure(eu, 0.5)
    measure(eu, 0.4, V1)
    measure(eu, 0.1, V2)
    short = found(viewer)
    settings.METRICS_WINDOW_SECONDS = 3_000

    wide = found(viewer)

    assert [row.requests for row in (short.shares[0], wide.shares[0])] == [pytest.approx(30.0), pytest.approx(1_500.0)]
    assert [short.shares[0].is_off, wide.shares[0].is_off] == [False, True]
    assert wide.charts[0].window_s == 3_000


@pytest.mark.parametrize(
    ("source", "step", "window"),
    [("2 of 2 proxies", 60, 150), ("2 of 2 proxies", 15, 60), ("Prometheus istio-system/prometheus:9090", 60, 60)],
)
def test_measures__charts__say_over_how_long_their_points_look_back(
    client: Client, eu: Cluster, viewer: User, source: str, step: int, window: int
) -> None:
    draw(measure(eu, 10.0, source=source), [10.0] * 60, step=step)
    client.force_login(viewer)

    page = client.get("/services/all/shop/checkout/signals/").content.decode()

    assert f"a point every {step} s, over {window} s" in page
    assert "measured over the last 60 s" in page


def test_measures__few_requests__too_few_to_say(eu: Cluster, viewer: User) -> None:
    measure(eu, 0.3)
    measure(eu, 0.2, V1)
    measure(eu, 0.1, V2)

    assert [row.is_off for row in found(viewer).shares] == [False, False]


def test_measures__rules_for_chosen_callers__shares_are_not_judged(viewer: User) -> None:
    cluster = make_cluster()
    whole = checkout_route()
    chosen = checkout_route(0, 10_000, rule="chosen").rules[0]
    make_route(cluster, type(whole)(whole.root, (chosen, *whole.rules)))
    measure(cluster, 100.0)
    measure(cluster, 60.0, V1)
    measure(cluster, 40.0, V2)

    assert not any(row.is_off for row in found(viewer).shares)
    assert found(viewer).rule_count == 2


def test_measures__old__no_share_no_value_since_when(eu: Cluster, viewer: User) -> None:
    measure(eu, 100.0, age=600.0)
    measure(eu, 90.0, V1, age=600.0)

    seen = found(viewer)

    assert [row.measured for row in seen.shares] == [None, None]
    assert seen.charts[0].value is None
    assert seen.signals.service.state == "stale"


def test_measures__change_applied_there__marked(eu: Cluster, viewer: User, author: User) -> None:
    change = in_review(author, [eu.routes.get()])
    in_state(change, "applied", ended_at=now())
    draw(measure(eu, 10.0), [10.0])

    (marker,) = found(viewer).charts[0].markers

    assert (marker.number, marker.url) == (change.number, f"/changes/{change.number}/")


def test_measures__change_open__its_shares_below_what_is_configured(eu: Cluster, viewer: User, author: User) -> None:
    change = in_review(author, [eu.routes.get()])
    measure(eu, 80.0, V1)
    measure(eu, 20.0, V2)

    seen = found(viewer)

    assert seen.proposed == change
    assert [(row.name, row.weight_bp, row.proposed_bp) for row in seen.shares] == [
        ("v1", 9000, 7500),
        ("v2", 1000, 2500),
    ]
    assert seen.bars == [
        ("Measured", [("v1", 8000), ("v2", 2000)]),
        ("Configured", [("v1", 9000), ("v2", 1000)]),
        ("Proposed", [("v1", 7500), ("v2", 2500)]),
    ]


def test_measures__change_would_add_a_backend__it_has_a_row(eu: Cluster, viewer: User, author: User) -> None:
    wanted = checkout_route(7500, 2500)
    rule = wanted.rules[0]
    third = replace(rule.backends[1], backend=replace(rule.backends[1].backend, subset="v3"), weight_bp=500)
    second = replace(rule.backends[1], weight_bp=2000)
    rules = (replace(rule, backends=(rule.backends[0], second, third)),)
    in_review(author, [eu.routes.get()], desired=replace(wanted, rules=rules))

    rows = found(viewer).shares

    assert [(row.name, row.weight_bp, row.proposed_bp) for row in rows][-1] == ("v3", None, 500)


def test_measures__change_ended__no_proposal_but_told_below(eu: Cluster, viewer: User, author: User) -> None:
    change = in_review(author, [eu.routes.get()])
    in_state(change, "applied", ended_at=now())

    seen = found(viewer)

    assert (seen.proposed, [each.number for each in seen.changes]) == (None, [change.number])
    assert [label for label, _ in seen.bars] == ["Configured"]


def test_measures__change_of_another_cluster__not_told_here(eu: Cluster, viewer: User, author: User) -> None:
    us = make_cluster("us-east")
    make_route(us)
    in_review(author, [us.routes.get()])

    assert (found(viewer, at="eu-west").proposed, found(viewer, at="eu-west").changes) == (None, ())


def test_measures__split__every_backend_held_against_the_service_worst_first(eu: Cluster, viewer: User) -> None:
    draw(measure(eu, 10.0), [10.0] * 20)
    draw(measure(eu, 9.0, V1), [9.0] * 20)
    draw(measure(eu, 1.0, V2), [1.0] * 20)
    Point.objects.filter(series__part=V2).update(p99_ms=100.0)
    Point.objects.filter(series__part=V1).update(success=0.7)

    rails = found(viewer).guardrails

    assert [(rail.title, rail.value, rail.limit, rail.verdict) for rail in rails] == [
        ("Success rate of v1", "70.00\u202f%", "min 99\u202f%", "fail"),
        ("p99 of v2", "100\u202fms", "max 90\u202fms", "fail"),
        ("p99 of v1", "60\u202fms", "max 90\u202fms", "pass"),
        ("Success rate of v2", "100.00\u202f%", "min 99\u202f%", "pass"),
    ]


def test_measures__few_requests__says_that_there_are_too_few(eu: Cluster, viewer: User) -> None:
    draw(measure(eu, 1.0), [1.0] * 20)
    draw(measure(eu, 1.0, V1), [1.0] * 20)
    draw(measure(eu, 0.01, V2), [0.01] * 20)

    rails = {rail.title: rail.verdict for rail in found(viewer).guardrails}

    assert rails["Enough requests to v2"] == "inconclusive"
    assert "Enough requests to v1" not in rails


def test_measures__not_split__no_guardrails(viewer: User) -> None:
    whole = checkout_route(10_000, 0)
    only = replace(whole.rules[0], backends=whole.rules[0].backends[:1])
    make_route(make_cluster(), replace(whole, rules=(only,)))

    assert found(viewer).guardrails == ()


def test_page__change_open__its_bar_its_column_and_its_state(
    client: Client, eu: Cluster, viewer: User, author: User
) -> None:
    change = in_review(author, [eu.routes.get()])
    measure(eu, 80.0, V1)
    client.force_login(viewer)

    page = " ".join(client.get(PAGE).content.decode().split())

    assert f"#{change.number} {change.title}" in page
    assert '<th scope="col" class="r">Proposed</th>' in page
    assert "Waiting for approval" in page


def test_measures__out_of_scope__as_if_it_were_not_there(eu: Cluster) -> None:
    other = make_person("other", ["viewer"], scope={"cluster": ["us-east"]})

    with pytest.raises(MissingError):
        found(other)


def test_page__live__values_with_unit_and_source(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)
    for part, rate in (("", 100.0), (V1, 90.0), (V2, 10.0)):
        draw(measure(eu, rate, part), [rate, rate])

    page = client.get(PAGE).content.decode()

    assert "2 of 2 proxies" in page
    assert 'data-topic="metric-eu-west"' in page
    assert "100<small>requests/s</small>" in page
    assert "No data" not in page


def test_page__never_measured__says_so_and_shows_no_zero(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    page = client.get(PAGE).content.decode()

    assert "Not measured yet" in page
    assert "0/s" not in page


def test_page__measured_long_ago__no_data_since(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)
    draw(measure(eu, 100.0, age=600.0), [])

    assert "No data since" in client.get(PAGE).content.decode()


@pytest.mark.parametrize("query", ["?minutes=7", "?minutes=x", "?at=nowhere", "?at=%27--", "?minutes=-1&at="])
def test_page__query_is_nonsense__as_without_it(client: Client, eu: Cluster, viewer: User, query: str) -> None:
    client.force_login(viewer)

    assert client.get(f"{PAGE}{query}").context["found"].minutes == USUAL


def test_page__more_points__not_more_queries(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)
    client.get(PAGE)

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(PAGE)
        return len(captured)

    few = count()
    for part in ("", V1, V2, *(f"shop/checkout#v{n}" for n in range(3, 20))):
        draw(measure(eu, 10.0, part), [10.0] * 50)

    assert count() == few


def test_watch__on_a_screen__measured_more_often(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.post(f"{PAGE}watch/", {"at": "eu-west"}, headers={"HX-Request": "true"})

    assert answer.status_code == 204
    watched = Watched.objects.get()
    assert (watched.cluster, watched.namespace, watched.service) == (eu, "shop", "checkout")


def test_watch__out_of_scope__nothing_is_watched(client: Client, eu: Cluster) -> None:
    client.force_login(make_person("other", ["viewer"], scope={"cluster": ["us-east"]}))

    assert client.post(f"{PAGE}watch/", {"at": "eu-west"}).status_code == 404
    assert not Watched.objects.exists()


def test_page__read__watches_nothing(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    client.get(PAGE)

    assert not Watched.objects.exists()
