"""meshui/lib/leases.py: one holder at a time, by the database's clock; on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import pytest
from django.db import connection, models

from meshui.lib import clock, leases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import QuerySet

pytestmark = pytest.mark.django_db(transaction=True)


class Work(leases.LeasedRow):
    """A row that is work and nothing else."""

    objects: ClassVar[models.Manager[Work]] = models.Manager()

    class Meta:
        app_label = "lease_tests"
        managed = False
        db_table = "lease_tests_work"

    def __str__(self) -> str:
        return f"work {self.pk}"


@pytest.fixture
def rows() -> Iterator[QuerySet[Work]]:
    """One free row."""
    with connection.schema_editor() as editor:
        editor.create_model(Work)
    made = Work.objects.create()
    yield Work.objects.filter(pk=made.pk)
    with connection.schema_editor() as editor:
        editor.delete_model(Work)


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """What `act(0)` … `act(count - 1)` return, each in a thread of its own, all begun together."""
    begin = threading.Barrier(count)

    def run(number: int) -> object:
        begin.wait(10)
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_claim__many_at_once__exactly_one_holds_it(rows: QuerySet[Work]) -> None:
    fences = at_once(8, lambda number: leases.claim(rows, owner=f"worker-{number}"))

    won = [number for number, fence in enumerate(fences) if fence is not None]
    assert len(won) == 1
    row = rows.get()
    assert (row.lease_owner, row.lease_fence, row.attempts) == (f"worker-{won[0]}", 1, 1)


def test_claim__ten_rounds_of_many__fence_counts_every_holder_once(rows: QuerySet[Work]) -> None:
    def take_and_leave(number: int) -> int:
        held = 0
        for turn in range(10):
            owner = f"worker-{number}-{turn}"
            fence = leases.claim(rows, owner=owner)
            if fence is not None:
                held += 1
                assert leases.release(rows, owner=owner, fence=fence)
        return held

    held = at_once(4, take_and_leave)

    assert rows.get().lease_fence == sum(int(str(count)) for count in held)


def test_claim__held__refused_until_it_is_released(rows: QuerySet[Work]) -> None:
    fence = leases.claim(rows, owner="one")
    assert fence == 1
    assert leases.claim(rows, owner="two") is None

    assert leases.release(rows, owner="one", fence=fence)

    assert leases.claim(rows, owner="two") == 2


def test_claim__lease_ran_out__taken_with_a_higher_fence_and_lost_to_the_first(rows: QuerySet[Work]) -> None:
    first = leases.claim(rows, owner="slow", seconds=5)
    assert first is not None

    clock.shift_for_tests(dt.timedelta(seconds=6))
    second = leases.claim(rows, owner="quick", seconds=5)

    assert second == first + 1
    assert not leases.renew(rows, owner="slow", fence=first)
    assert not leases.release(rows, owner="slow", fence=first)
    assert rows.get().lease_owner == "quick"


def test_renew__before_it_runs_out__holds_on(rows: QuerySet[Work]) -> None:
    fence = leases.claim(rows, owner="one", seconds=5)
    assert fence is not None
    clock.shift_for_tests(dt.timedelta(seconds=4))

    assert leases.renew(rows, owner="one", fence=fence, seconds=5)

    clock.shift_for_tests(dt.timedelta(seconds=8))
    assert leases.claim(rows, owner="two") is None


def test_renew__after_it_ran_out__lost_although_nobody_took_it(rows: QuerySet[Work]) -> None:
    fence = leases.claim(rows, owner="one", seconds=5)
    assert fence is not None

    clock.shift_for_tests(dt.timedelta(seconds=6))

    assert not leases.renew(rows, owner="one", fence=fence)


def test_runner_name__two_threads__differ_and_name_the_process() -> None:
    names = set(map(str, at_once(2, lambda _: leases.runner_name())))

    assert len(names | {leases.runner_name()}) == 3
    assert all(name.startswith(leases.PROCESS) for name in names)
