"""What came over a write: until then it is judged, and the card says what it was."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meshui.lib.clock import now
from tests.people import make_person
from tests.traffic.factories import checkout_route, make_cluster, make_managed, make_route
from tests.traffic.measuring import V1, V2, draw, measure
from tests.traffic.written import MINUTES, effect, over, step, written
from traffic.effects import effects_of
from traffic.models import Attempt, AttemptOutcome
from traffic.selectors import list_steps
from traffic.types import StepState

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from traffic.models import TargetStep

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]


def until_the_next(cluster: Cluster) -> None:
    """75/25 since the write, and 50/50 since two minutes ago."""
    for part, became, at_last in ((V1, 75.0, 50.0), (V2, 25.0, 50.0)):
        draw(measure(cluster, at_last, part), [became] * (MINUTES - 2) + [at_last] * 2)
    draw(measure(cluster, 100.0), [100.0] * MINUTES)


def taken(sent: TargetStep, minutes: float) -> dt.datetime:
    """When the cluster took what was sent: so many minutes ago."""
    attempt = Attempt.objects.create(step=sent, number=1, fence=1, patch=[], created_at=now())
    moment = now() - dt.timedelta(minutes=minutes)
    AttemptOutcome.objects.create(attempt=attempt, outcome="written", created_at=moment)
    return moment


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
    moment = taken(later.steps.get(), 2)

    assert effect(change).until == moment


def test_effect__own_restore_was_taken_before_it_was_checked__no_other_change_ended_it(
    eu: Cluster, author: User
) -> None:
    change = written(author, eu)
    step(change, change.rollout, "restore", StepState.REVERTED, 4)
    taken(change.steps.get(direction="restore"), 5)

    found = effect(change)

    assert (found.is_restored, found.end) == (True, None)


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
