"""meshui/lib/clock.py: two clocks, and who may move them."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.models import User
from meshui.lib import clock


def test_now__moved__moves_and_stays_aware() -> None:
    before = clock.now()

    clock.shift_for_tests(dt.timedelta(hours=1))

    assert dt.timedelta(hours=1) <= clock.now() - before < dt.timedelta(hours=1, minutes=1)
    assert clock.now().utcoffset() == dt.timedelta()


@pytest.mark.django_db
def test_db_now__read_back__close_to_the_wall_and_aware() -> None:
    value = clock.read_db_now()

    assert abs(value - clock.now()) < dt.timedelta(seconds=5)
    assert value.utcoffset() == dt.timedelta()


@pytest.mark.django_db
def test_db_now__stored_and_compared__orders_as_times_do() -> None:
    user = User.objects.create_user(username="clock", password=None)

    User.objects.filter(pk=user.pk).update(last_login=clock.db_now(plus=0.25))

    rows = User.objects.filter(pk=user.pk)
    assert rows.filter(last_login__lt=clock.db_now(plus=60)).exists()
    assert not rows.filter(last_login__lt=clock.db_now(plus=-60)).exists()
    user.refresh_from_db()
    assert user.last_login is not None
    assert abs(user.last_login - clock.read_db_now()) < dt.timedelta(seconds=5)


@pytest.mark.django_db
def test_db_now__moved__leases_see_it() -> None:
    clock.shift_for_tests(dt.timedelta(days=2))

    assert clock.read_db_now() - dt.datetime.now(dt.UTC) > dt.timedelta(days=1)


def test_to_text__any_zone__one_form_in_utc() -> None:
    moment = dt.datetime(2026, 11, 26, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=2)))

    assert clock.to_text(moment) == "2026-11-26T01:04:05.000006Z"
