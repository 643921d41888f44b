"""What a change did to traffic: before and after its write, and whether requests were shared as approved."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from meshui.lib.clock import now
from metrics.models import Collector, Point, Watched
from tests.people import make_person
from tests.traffic.factories import (
    checkout_route,
    in_review,
    in_state,
    make_change,
)
from tests.traffic.measuring import V1, V2, draw, measure
from tests.traffic.written import MINUTES, begin, effect, shift, step, written
from traffic.effects import effects_of
from traffic.selectors import list_steps
from traffic.types import StepState

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]


def test_effect__shared_as_approved__verified_with_shares_before_and_after(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))

    found = effect(change)

    assert (found.word, found.seen.answer) == ("verified", "observed")
    assert [(row.name, row.approved_bp, row.before_bp, row.after_bp) for row in found.rows] == [
        ("v1", 7500, 9000, 7500),
        ("v2", 2500, 1000, 2500),
    ]
    assert found.chart is not None
    assert [marker.number for marker in found.chart.markers] == [change.number]


def test_effect__rates_look_back_longer__begins_later_and_says_so(eu: Cluster, author: User, settings: Any) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))
    settings.METRICS_WINDOW_SECONDS = MINUTES * 60 + 60

    found = effect(change)

    assert found.chart is not None
    assert found.chart.window_s == MINUTES * 60 + 60
    assert [row.after_bp for row in found.rows] == [None, None]


def test_effect__points_by_the_minute__chart_says_that_they_look_back_longer(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))

    chart = effect(change).chart

    assert chart is not None
    assert (chart.step_s, chart.window_s) == (60, 150)


def test_effect__proxies_do_not_follow__mismatch_says_by_how_much(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (90.0, 10.0))

    found = effect(change)

    assert found.word == "mismatch"
    assert "90.0% of" in found.seen.reason


def test_effect__nobody_measured__cannot_be_observed_and_no_number(eu: Cluster, author: User) -> None:
    found = effect(written(author, eu))

    assert found.word == "not_supported"
    assert found.chart is None
    assert [(row.before_bp, row.after_bp, row.after) for row in found.rows] == [(None, None, None)] * 2


def test_effect__just_written__too_short_to_tell(eu: Cluster, author: User) -> None:
    change = written(author, eu, minutes=0.5)
    shift(eu, (90.0, 10.0), (75.0, 25.0))

    found = effect(change)

    assert found.word == "observing"
    settling, requests = found.progress.missing
    assert settling.endswith("until rates tell of the time after the write")
    assert requests == "30 more requests"
    assert found.reason == ""


def test_effect__restored_since__window_ends_there(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    step(change, change.rollout, "restore", StepState.REVERTED, 2)

    found = effect(change)

    assert found.is_restored
    assert found.until < now() - dt.timedelta(minutes=1)


def test_effect__other_rules_send_elsewhere__not_judged(eu: Cluster, author: User) -> None:
    wanted = checkout_route(7500, 2500)
    chosen = checkout_route(0, 10_000, rule="chosen").rules[0]
    change = written(author, eu, desired=type(wanted)(wanted.root, (chosen, *wanted.rules)))
    shift(eu, (90.0, 10.0), (75.0, 25.0))

    assert "2 rules" in effect(change).seen.reason


def test_effect__longer_ago_than_is_kept__says_so(eu: Cluster, author: User) -> None:
    change = written(author, eu, minutes=26 * 60)

    assert effect(change).is_over


def test_effect__target_was_not_written__not_told(eu: Cluster, author: User) -> None:
    change = in_review(author, [eu.routes.get()])
    run = begin(change)
    step(change, run, "apply", StepState.CONFLICT, 1)

    assert effects_of(author, change, list(list_steps(in_state(change, "paused")))) == ([], 0)


def test_page__written__table_and_status(client: Client, eu: Cluster, author: User, viewer: User) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))
    client.force_login(viewer)

    page = client.get(f"/changes/{change.number}/signals/").content.decode()

    assert "Verified" in page
    assert 'data-topic="metric-eu-west"' in page


def test_page__nothing_written__says_what_comes(client: Client, eu: Cluster, author: User, viewer: User) -> None:
    change = make_change(author, [eu.routes.get()])
    client.force_login(viewer)

    assert "Nothing is written yet" in client.get(f"/changes/{change.number}/signals/").content.decode()


def test_page_of_change__written__fetches_it(client: Client, eu: Cluster, author: User, viewer: User) -> None:
    change = written(author, eu)
    client.force_login(viewer)

    assert f'hx-get="/changes/{change.number}/signals/"' in client.get(f"/changes/{change.number}/").content.decode()


def test_watch__page_of_a_change__its_services_are_measured_more_often(
    client: Client, eu: Cluster, author: User, viewer: User
) -> None:
    change = written(author, eu)
    client.force_login(viewer)

    answer = client.post(f"/changes/{change.number}/signals/watch/", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert Watched.objects.get().service == "checkout"


def test_watch__out_of_scope__missing(client: Client, eu: Cluster, author: User) -> None:
    change = written(author, eu)
    client.force_login(make_person("other", ["viewer"], scope={"cluster": ["us-east"]}))

    assert client.post(f"/changes/{change.number}/signals/watch/").status_code == 404
    assert not Watched.objects.exists()


# --- how far the observation is -------------------------------------------------------------------------------------


def test_progress__half_over__samples_and_requests_of_each_backend_from_stored_points(
    eu: Cluster, author: User
) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))

    at = effect(change).progress

    assert (at.total_s, at.is_running) == (600, True)
    assert at.elapsed_s == pytest.approx(MINUTES * 60, abs=5)
    assert (at.due, at.total) == (5, 7)
    assert at.measured == at.due
    points = at.requests // (100 * 60)
    assert points in (at.due, at.due + 1)  # both ends of the window may lie on the raster
    assert at.counts == (("v1", 75 * 60 * points), ("v2", 25 * 60 * points))


def test_progress__fractions_and_a_backend_nobody_approved__every_total_is_the_sum_of_what_is_listed(
    client: Client, eu: Cluster, author: User
) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))
    draw(measure(eu, 0.41, "shop/checkout#v3"), [0.41] * MINUTES)
    Point.objects.filter(series__part=V1).update(rate=60.0083)
    client.force_login(author)

    answer = client.get(f"/changes/{change.number}/signals/")

    found = answer.context["effects"][0]
    assert [name for name, _ in found.progress.counts] == ["v1", "v2", "shop/checkout#v3"]
    assert found.progress.requests == found.seen.requests == sum(count for _, count in found.progress.counts) > 10_000
    assert f"{found.seen.requests:,} requests: v1 " in answer.content.decode()
    assert f"of {found.seen.requests:,} requests;" in found.reason


def test_progress__page_is_opened_again__the_same_however_often(eu: Cluster, author: User, client: Client) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))
    client.force_login(author)
    with time_machine.travel(now() + dt.timedelta(seconds=20), tick=False):
        first = client.get(f"/changes/{change.number}/signals/").context["effects"][0].progress
        again = client.get(f"/changes/{change.number}/signals/").context["effects"][0].progress

    assert first == again


def test_progress__few_requests__observing_says_how_many_more(eu: Cluster, author: User) -> None:
    change = written(author, eu, minutes=5)
    for part, rate in (("", 0.1), (V1, 0.075), (V2, 0.025)):
        draw(measure(eu, rate, part), [rate] * 5)

    found = effect(change)

    assert (found.word, found.seen.answer) == ("observing", "cannot be observed")
    assert found.progress.missing == (f"{30 - found.progress.requests} more requests",)
    assert found.reason == ""


def test_progress__half_of_it_cannot_be_measured_any_more__is_given_up(eu: Cluster, author: User) -> None:
    change = written(author, eu, minutes=9)
    measure(eu, 1.0)

    found = effect(change)

    assert not found.progress.can_still
    assert found.word == "not_supported"
    assert "not measured" in found.reason


def test_progress__nothing_came_so_far__still_observing_and_says_why(eu: Cluster, author: User) -> None:
    change = written(author, eu, minutes=2)
    Collector.objects.create(cluster=eu, next_at=now(), minute_at=now(), problem="Pods may not be listed.")

    found = effect(change)

    assert found.word == "observing"
    assert "Pods may not be listed." in found.reason


def test_progress__restored_since__ends_there(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    step(change, change.rollout, "restore", StepState.REVERTED, 2)

    at = effect(change).progress

    assert not at.is_running
    assert at.elapsed_s == pytest.approx((MINUTES - 2) * 60, abs=5)
    assert (at.missing, at.total) == ((), at.due)


def test_progress__ten_minutes_later__whole_and_never_more(eu: Cluster, author: User) -> None:
    change = written(author, eu, minutes=30)

    at = effect(change).progress

    assert (at.is_running, at.elapsed_s, at.total_s) == (False, 600, 600)
    assert at.due == at.total


def test_guardrails__raised_backend_fails_more__fail_beside_the_limit(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    shift(eu, (90.0, 10.0), (75.0, 25.0))
    Point.objects.filter(series__part=V2).update(success=0.9)

    found = effect(change).guardrails

    assert [(rail.title, rail.verdict) for rail in found] == [
        ("Success rate of v2", "fail"),
        ("p99 of v2", "pass"),
        ("Enough requests to v2", "pass"),
    ]
    assert (found[0].value, found[0].limit) == ("90.00\u202f%", "min 99\u202f%")
    assert found[1].limit == "max 90\u202fms"


def test_page__observing__samples_requests_what_is_missing_and_guardrails(
    client: Client, eu: Cluster, author: User, viewer: User
) -> None:
    change = written(author, eu, minutes=5)
    for part, rate in (("", 0.1), (V1, 0.075), (V2, 0.025)):
        draw(measure(eu, rate, part), [rate] * 5)
    client.force_login(viewer)

    page = client.get(f"/changes/{change.number}/signals/").content.decode()

    assert "Observing" in page
    assert "Still needed:" in page
    assert '<progress max="7"' in " ".join(page.split())
    assert "Inconclusive" in page


def test_page__nothing_measured__counts_no_requests(client: Client, eu: Cluster, author: User, viewer: User) -> None:
    change = written(author, eu, minutes=2)
    client.force_login(viewer)

    page = client.get(f"/changes/{change.number}/signals/").content.decode()

    assert "0 of 36 samples" in page
    assert "0 requests" not in page


def test_page_of_change__applied__step_says_that_the_object_was_read_back_and_traffic_is_told_below(
    client: Client, eu: Cluster, author: User, viewer: User
) -> None:
    change = written(author, eu)
    change.rollout.steps.update(evidence={"level": "L1"})
    client.force_login(viewer)

    *_, last = client.get(f"/changes/{change.number}/").context["ladder"]

    assert (last.label, last.note, last.css) == ("Read back", "L1: stored; traffic: see below", "done")
