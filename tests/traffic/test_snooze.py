"""What needs attention, snoozed by one person: hidden from them alone, until it begins anew or the time is up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from accounts.rights import Held
from audit.selectors import list_events
from audit.types import SYSTEM
from clusters.models import Cluster
from meshui.lib.clock import now
from meshui.lib.errors import DeniedError, MissingError
from tests.people import as_actor, make_person
from tests.traffic.factories import make_cluster
from traffic.attention import needs_of, without_snoozed
from traffic.models import Snooze
from traffic.services.snooze import snooze_need, wake_need
from traffic.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from traffic.attention import Need

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def dead() -> Cluster:
    """A cluster that answers nothing."""
    return make_cluster("bank-fra-1", health="unreachable", health_reason="timed out", unreachable_since=now())


def needs(user: User) -> list[Need]:
    """All of them, snoozed or not."""
    return needs_of(Sight(Held(user)))


def told(user: User) -> list[str]:
    """The places that the page tells `user` of."""
    return [need.place for need in without_snoozed(user, needs(user))[0]]


def test_snooze__for_one_person__others_are_told(viewer: User, author: User, dead: Cluster) -> None:
    (need,) = needs(viewer)

    snooze_need(actor=as_actor(viewer), need=need)

    assert told(viewer) == []
    assert told(author) == ["bank-fra-1"]
    event = list_events(action="traffic.need.snoozed").get()
    assert (event.actor_name, event.object_name) == (viewer.username, "Unreachable · bank-fra-1")


def test_snooze__time_is_up__told_again(viewer: User, dead: Cluster) -> None:
    (need,) = needs(viewer)
    snooze_need(actor=as_actor(viewer), need=need)

    Snooze.objects.update(until=now() - timedelta(seconds=1))

    assert told(viewer) == ["bank-fra-1"]


def test_snooze__it_answered_and_went_again__told_again(viewer: User, dead: Cluster) -> None:
    (need,) = needs(viewer)
    snooze_need(actor=as_actor(viewer), need=need)

    Cluster.objects.update(unreachable_since=now() + timedelta(minutes=5))

    assert told(viewer) == ["bank-fra-1"]


def test_snooze__same_place_worse_cause__told(viewer: User, dead: Cluster) -> None:
    (need,) = needs(viewer)
    snooze_need(actor=as_actor(viewer), need=need)

    Cluster.objects.update(health="identity_changed")

    assert told(viewer) == ["bank-fra-1"]


def test_wake__told_again_and_once_only(viewer: User, dead: Cluster) -> None:
    (need,) = needs(viewer)
    snooze_need(actor=as_actor(viewer), need=need)

    wake_need(actor=as_actor(viewer), mark=need.mark)

    assert told(viewer) == ["bank-fra-1"]
    with pytest.raises(MissingError):
        wake_need(actor=as_actor(viewer), mark=need.mark)


def test_wake__of_somebody_else__as_if_it_were_not_there(viewer: User, author: User, dead: Cluster) -> None:
    (need,) = needs(viewer)
    snooze_need(actor=as_actor(viewer), need=need)

    with pytest.raises(MissingError):
        wake_need(actor=as_actor(author), mark=need.mark)

    assert told(viewer) == []


def test_snooze__by_no_person__refused(viewer: User, dead: Cluster) -> None:
    (need,) = needs(viewer)

    with pytest.raises(DeniedError):
        snooze_need(actor=SYSTEM, need=need)

    assert not Snooze.objects.exists()


def test_page__snoozed__counted_listed_and_woken(client: Client, viewer: User, dead: Cluster) -> None:
    client.force_login(viewer)
    (need,) = needs(viewer)

    answer = client.post(f"/fleet/attention/{need.mark}/snooze/", follow=True)
    resting = client.get("/?snoozed=1").content.decode()
    woken = client.post(f"/fleet/attention/{need.mark}/wake/", follow=True).content.decode()

    page = answer.content.decode()
    assert "Snoozed for 8 hours" in page
    assert "Nothing else needs attention" in page
    assert "1 snoozed" in page
    assert f"/fleet/attention/{need.mark}/wake/" in resting
    assert "Back to 0 not snoozed" in resting
    assert f"/fleet/attention/{need.mark}/snooze/" in woken


def test_page__nothing_snoozed__says_so(client: Client, viewer: User, dead: Cluster) -> None:
    client.force_login(viewer)

    assert "Nothing is snoozed" in client.get("/?snoozed=1").content.decode()


def test_page__of_another_scope__as_if_it_needed_nothing(client: Client, viewer: User, dead: Cluster) -> None:
    (need,) = needs(viewer)
    client.force_login(make_person("elsewhere", ["viewer"], scope={"cluster": ["us-east"]}))

    answers = [client.post(f"/fleet/attention/{mark}/snooze/") for mark in (need.mark, "0" * 16)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert not Snooze.objects.exists()
