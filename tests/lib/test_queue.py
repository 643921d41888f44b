"""meshui/lib/queue.py: the bell rings after commit, never fails the caller, and one bad task never ends the worker."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import redis
from django.db import connection, transaction

from meshui.lib import queue
from meshui.lib.queue import EmbeddedWorker, drain, enqueue, run_task
from tests.bell import ring_by
from tests.servers import free_port, wait_until

if TYPE_CHECKING:
    from pytest_django import Settings

ran: list[tuple[str, str]] = []
QUEUES = ("apply", "discover", "default")


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


def note(pk: str = "") -> None:
    """A task."""
    ran.append(("note", pk))


def ring_again(pk: str) -> None:
    """A task that rings another."""
    ran.append(("ring_again", pk))
    with transaction.atomic():
        enqueue(f"{__name__}.note", pk)


def fail(pk: str = "") -> None:
    """A task with a fault."""
    raise ArithmeticError(pk)


def name(task: str) -> str:
    """The dotted path of a task of this module."""
    return f"{__name__}.{task}"


@pytest.mark.django_db(transaction=True)
def test_enqueue__transaction_open__rings_only_after_commit() -> None:
    with transaction.atomic():
        enqueue(name("note"), 7)
        assert drain() == 0

    assert drain() == 1
    assert ran == [("note", "7")]


@pytest.mark.django_db(transaction=True)
def test_enqueue__rolled_back__never_rings() -> None:
    with transaction.atomic():
        enqueue(name("note"), 7)
        transaction.set_rollback(True)

    assert drain() == 0


@pytest.mark.django_db(transaction=True)
def test_drain__task_rings_another__both_run_in_order() -> None:
    with transaction.atomic():
        enqueue(name("ring_again"), "a")

    assert drain() == 2
    assert ran == [("ring_again", "a"), ("note", "a")]


@pytest.mark.django_db(transaction=True)
def test_enqueue__broker_down__caller_goes_on_and_the_log_says_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    ring_by(settings.BROKER_URL)
    begun = time.monotonic()

    with caplog.at_level(logging.WARNING), transaction.atomic():
        enqueue("traffic.tasks.sweep")

    ring_by(None)
    assert "traffic.tasks.sweep did not ring" in caplog.text
    assert time.monotonic() - begun < 3
    assert drain() == 0


@pytest.mark.django_db(transaction=True)
def test_run_task__fault__logged_with_its_trace_and_swallowed(caplog: pytest.LogCaptureFixture) -> None:
    run_task(name("fail"), "row-1")

    assert "fail(row-1) failed" in caplog.text
    assert "ArithmeticError" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_embedded_worker__rung_and_periodic__both_run_and_a_fault_ends_nothing(settings: Settings) -> None:
    settings.PERIODIC = {name("note"): 0.05, name("fail"): 0.05}
    worker = EmbeddedWorker()
    worker.start()
    try:
        enqueue(name("note"), "rung")
        wait_until(lambda: ("note", "rung") in ran and ran.count(("note", "")) > 2, seconds=10)
    finally:
        worker.stop()

    assert not worker._thread.is_alive()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_enqueue__broker__message_goes_to_the_queue_of_its_route(broker: str) -> None:
    assert connection.vendor == "postgresql"

    with transaction.atomic():
        enqueue("traffic.tasks.sweep")
        enqueue("meshes.tasks.sweep")
        enqueue("clusters.tasks.sweep")

    with closing(redis.Redis.from_url(broker)) as client:
        waiting = {each: client.llen(each) for each in QUEUES}
    assert waiting == dict.fromkeys(QUEUES, 1)
    assert queue._messages.empty()
