"""What a change did to traffic: before and after its write, and whether requests were shared as approved."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from meshui.lib.clock import now
from metrics.models import Collector, Point, Watched
from tests.people import make_person
from tests.traffic.factories import (
    checkout_route,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_managed,
    make_route,
)
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.effects import effects_of
from traffic.models import Attempt, AttemptOutcome, Change, Rollout, TargetStep
from traffic.selectors import list_steps
from traffic.types import StepState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from traffic.effects import Effect

pytestmark = pytest.mark.django_db
MINUTES = 8
"""How long ago the change was written."""


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def eu() -> Cluster:
    """shop/checkout, 90/10."""
    cluster = make_cluster()
    make_route(cluster)
    return cluster


def begin(change: Change) -> Rollout:
    """The run of its plan."""
    assert change.current_plan is not None
    return Rollout.objects.create(change=change, plan=change.current_plan, created_at=now())


def written(author: User, cluster: Cluster, *, minutes: float = MINUTES, **words: Any) -> Change:
    """A change to 75/25, applied and verified so many minutes ago."""
    change = in_review(author, [cluster.routes.get()], **words)
    run = begin(change)
    step(change, run, "apply", StepState.VERIFIED, minutes)
    return in_state(change, "applied", ended_at=now(), has_writes=True)


def step(change: Change, run: Rollout, direction: str, state: StepState, minutes: float) -> None:
    """What became of the target of `change`."""
    assert change.current_plan is not None
    target = change.current_plan.targets.get()
    TargetStep.objects.create(
        change=change,
        rollout=run,
        plan_target=target,
        cluster=target.cluster,
        direction=direction,
        state=state,
        state_changed_at=now() - dt.timedelta(minutes=minutes),
    )


def shift(cluster: Cluster, before: tuple[float, float], after: tuple[float, float]) -> None:
    """Requests/s of v1 and v2, minute by minute, until the write and from it on."""
    for part, was, became in zip((V1, V2), before, after, strict=True):
        draw(measure(cluster, became, part), [was] * 9 + [became] * MINUTES)
    draw(measure(cluster, sum(after)), [sum(before)] * 9 + [sum(after)] * MINUTES)


def effect(change: Change) -> Effect:
    (found,), total = effects_of(change.author, change, list(list_steps(change)))
    assert total == 1
    return found


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


# --- what came over it ----------------------------------------------------------------------------------------------


def over(author: User, cluster: Cluster, minutes: float, state: StepState = StepState.VERIFIED) -> Change:
    """Another change of the same route, written so many minutes ago; the first one was for 6 min then."""
    later = in_review(author, [cluster.routes.get()], desired=checkout_route(5000, 5000), digest="c" * 64)
    step(later, begin(later), "apply", state, minutes)
    return in_state(later, "applied", ended_at=now(), has_writes=True)


def until_the_next(cluster: Cluster) -> None:
    """75/25 since the write, and 50/50 since two minutes ago."""
    for part, became, at_last in ((V1, 75.0, 50.0), (V2, 25.0, 50.0)):
        draw(measure(cluster, at_last, part), [became] * (MINUTES - 2) + [at_last] * 2)
    draw(measure(cluster, 100.0), [100.0] * MINUTES)


def test_effect__another_change_wrote_since__judged_until_then_alone(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    until_the_next(eu)
    assert effect(change).word == "mismatch"

    later = over(author, eu, 2)
    found = effect(change)

    assert found.word == "verified"
    assert [row.after_bp for row in found.rows] == [7500, 2500]
    assert (found.end and found.end.number, found.stood) == (later.number, "6\u202fmin")
    assert (found.progress.is_running, found.progress.total) == (False, found.progress.due)
    assert found.chart is not None
    assert [marker.number for marker in found.chart.markers] == [change.number, later.number]


def test_effect__other_object_of_the_same_service__ends_it_too(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    later = over(author, eu, 2)
    assert later.current_plan is not None
    later.current_plan.targets.update(kind="HTTPRoute", name="other")

    found = effect(change)

    assert found.end is not None
    assert found.end.number == later.number


def test_effect__several_wrote_since__the_first_of_them_ends_it(eu: Cluster, author: User) -> None:
    change, earlier = written(author, eu), over(author, eu, 20)
    second, first = over(author, eu, 1), over(author, eu, 3)

    ends = [effect(each).end for each in (earlier, change, first, second)]

    assert [end and end.number for end in ends] == [change.number, first.number, second.number, None]


def test_effect__another_change_wrote_nothing_or_elsewhere__goes_on(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    over(author, eu, 2, StepState.CONFLICT)
    elsewhere = over(author, eu, 2)
    assert elsewhere.current_plan is not None
    wanted = checkout_route(5000, 5000)
    cart = type(wanted)(type(wanted.root)("cart", "shop"), wanted.rules).to_json()
    elsewhere.current_plan.targets.update(name="cart", desired_route=cart)

    assert effect(change).end is None


def test_effect__write_was_taken_and_not_checked_yet__ends_at_the_send(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    later = over(author, eu, 1, StepState.WRITTEN)
    attempt = Attempt.objects.create(step=later.steps.get(), number=1, fence=1, patch=[], created_at=now())
    taken = now() - dt.timedelta(minutes=2)
    AttemptOutcome.objects.create(attempt=attempt, outcome="written", created_at=taken)

    assert effect(change).until == taken


def test_effect__somebody_else_changed_it__judged_until_that_was_seen(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    until_the_next(eu)
    make_managed(eu.routes.get(), change_number=change.number)

    found = effect(change)

    assert found.word == "verified"
    assert (found.end is not None and found.end.number, found.stood) == (None, "6\u202fmin")


def test_effect__other_change_left_what_drifted__its_own_end_is_the_write(eu: Cluster, author: User) -> None:
    change, later = written(author, eu), over(author, eu, 4)
    make_managed(eu.routes.get(), change_number=later.number)

    found = effect(change)

    assert found.end is not None
    assert found.end.number == later.number


def test_effect__restored_before_the_next_wrote__says_restored_alone(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    step(change, change.rollout, "restore", StepState.REVERTED, 4)
    over(author, eu, 2)

    found = effect(change)

    assert (found.is_restored, found.end) == (True, None)


def test_effects__however_many_wrote_since__as_many_queries(eu: Cluster, author: User) -> None:
    change = written(author, eu)
    steps = list(list_steps(change))
    with CaptureQueriesContext(connection) as before:
        effects_of(author, change, steps)
    for minutes in (1, 2, 3):
        over(author, eu, minutes)

    with CaptureQueriesContext(connection) as after:
        effects_of(author, change, steps)

    assert len(after) == len(before)


def test_page__another_change_wrote_since__says_which_with_a_link(
    client: Client, eu: Cluster, author: User, viewer: User
) -> None:
    change, later = written(author, eu), over(author, eu, 2)
    client.force_login(viewer)

    page = client.get(f"/changes/{change.number}/signals/").content.decode()

    link = f'<a class="lnk" href="/changes/{later.number}/">change #{later.number}</a>'
    assert f"Replaced by {link} after 6\u202fmin." in page


def test_page__the_other_change_is_out_of_sight__its_number_without_a_link(
    client: Client, eu: Cluster, author: User
) -> None:
    change, later = written(author, eu), over(author, eu, 2)
    us = make_cluster("us-east")
    make_route(us)
    target = later.targets.get()
    target.pk, target.cluster, target.route = None, us, us.routes.get()
    target.save()
    client.force_login(make_person("other", ["viewer"], scope={"cluster": ["eu-west"]}))

    page = client.get(f"/changes/{change.number}/signals/").content.decode()

    assert f"Replaced by change #{later.number} after 6\u202fmin." in page
    assert f'href="/changes/{later.number}/"' not in page


def test_page__somebody_else_changed_it__says_after_how_long(
    client: Client, eu: Cluster, author: User, viewer: User
) -> None:
    change = written(author, eu)
    make_managed(eu.routes.get(), change_number=change.number)
    client.force_login(viewer)

    assert (
        "Somebody else changed it after 6\u202fmin."
        in client.get(f"/changes/{change.number}/signals/").content.decode()
    )
