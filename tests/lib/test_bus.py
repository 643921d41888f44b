"""The bus: after the commit, within the process or through Redis; what was lost is noticed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
import redis
from django.db import connections, transaction

from meshui.lib import bus
from meshui.lib.bus import Fact, Subscription, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from tests.servers import ValkeyServer


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.missed = 0
        self.is_away: bool | None = None

    def hear(self, fact: Fact) -> None:
        self.facts.append(fact)

    def miss(self) -> None:
        self.missed += 1

    def set_away(self, *, is_away: bool) -> None:
        self.is_away = is_away


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Somebody who listens in this process."""
    heard = Ear()
    subscription = Subscription(heard)
    subscription.open()
    yield heard
    subscription.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_publish__embedded__heard_after_the_commit_and_not_before(ear: Ear) -> None:
    with transaction.atomic():
        publish("change", 12)
        assert ear.facts == []

    assert ear.facts == [Fact("change", "12")]


@pytest.mark.django_db(transaction=True)
def test_publish__rolled_back__never_heard(ear: Ear) -> None:
    with transaction.atomic():
        publish("change", 12)
        transaction.set_rollback(True)

    assert ear.facts == []


@pytest.mark.django_db(transaction=True)
def test_publish__closed_subscription__not_heard(ear: Ear) -> None:
    subscription = Subscription(other := Ear())
    subscription.open()
    subscription.close()

    publish("cluster", "5")

    assert other.facts == []
    assert ear.facts == [Fact("cluster", "5")]


@pytest.mark.django_db(transaction=True)
def test_publish__redis_away__the_caller_goes_on(settings: Settings) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"

    publish("change", 12)
    publish("change", 13)


@pytest.mark.django_db(transaction=True)
def test_subscription__broker_that_is_no_redis__is_away(settings: Settings) -> None:
    settings.BROKER_URL = "amqp://127.0.0.1:1/"
    subscription = Subscription(heard := Ear())

    subscription.open()
    publish("change", 12)
    subscription.close()

    assert heard.is_away is True
    assert heard.facts == []


def publish_from_elsewhere(kind: str, key: int) -> None:
    """As a thread of its own does, which leaves no connection behind."""
    publish(kind, key)
    connections.close_all()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_subscription__redis__hears_others_and_notices_a_lost_number(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "PATIENCE_SECONDS", 10.0)  # how busy the machine is decides nothing
    monkeypatch.setattr(bus, "_quiet_until", 0.0)
    monkeypatch.setattr(bus, "_clients", {})
    heard = Ear()

    async def listen() -> None:
        subscription = Subscription(heard)
        subscription.open()
        await until(lambda: heard.is_away is False)
        assert heard.missed == 1  # whatever happened before is not known
        with redis.Redis.from_url(broker) as client:
            for number, key in ((1, "1"), (2, "2"), (4, "4")):
                client.publish(bus.channel(), json.dumps(["another", number, "change", key, False]))
            client.publish(bus.channel(), b"no fact")
            client.publish("meshui:live:of-another-installation", json.dumps(["x", 1, "change", "9", False]))
        await asyncio.to_thread(publish_from_elsewhere, "change", 5)
        await until(lambda: len(heard.facts) == 4)
        subscription.close()

    asyncio.run(listen())

    assert [fact.key for fact in heard.facts] == ["1", "2", "4", "5"]
    assert heard.missed == 2


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_subscription__redis_ends_and_comes_back__away_then_read_anew(
    valkey_of_its_own: Callable[[], ValkeyServer], settings: Settings
) -> None:
    server = valkey_of_its_own()
    settings.BROKER_URL = server.url
    heard = Ear()

    async def listen() -> None:
        subscription = Subscription(heard)
        subscription.open()
        await until(lambda: heard.is_away is False)
        await asyncio.to_thread(server.stop)
        await until(lambda: heard.is_away is True)
        await asyncio.to_thread(server.start_again)
        await until(lambda: heard.is_away is False)
        subscription.close()

    asyncio.run(listen())

    assert heard.missed == 2
