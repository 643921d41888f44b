"""Row S11: what a stream tells, to whom, once, and what it costs when its reader is slow or was away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshui.lib import clock
from meshui.lib.bus import Fact, publish
from meshui.ui import live
from meshui.ui.rings import BOX
from tests.people import make_person
from tests.traffic.factories import make_change, make_cluster, make_route
from tests.ui.streams import Reader, in_loop, in_thread, session_of, until

if TYPE_CHECKING:
    from pytest_django import Settings

    from accounts.models import User
    from traffic.models import Change

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> None:
    """Seconds that a test can wait for."""
    settings.LIVE_REREAD_SECONDS = 0.05
    settings.LIVE_BEAT_SECONDS = 0.05


@pytest.fixture
def change(author: User) -> Change:
    """One on a cluster of staging."""
    return make_change(author, [make_route(make_cluster("eu-west"))])


@pytest.fixture
def elsewhere(author: User) -> Change:
    """One on a cluster of production."""
    return make_change(author, [make_route(make_cluster("us-east", environment="production"))])


@pytest.fixture
def staging_only() -> User:
    """Somebody who sees staging alone."""
    return make_person("nina", ["viewer"], scope={"environment": ["staging"]})


async def ring(kind: str, key: object, *, is_progress: bool = False) -> None:
    """Publish from another thread, as verbs do."""
    await in_thread(publish, kind, str(key), is_progress=is_progress)


def test_s11_list__change_out_of_scope__not_told(
    change: Change, elsewhere: Change, staging_only: User, viewer: User
) -> None:
    narrow, wide = Reader("/live/changes/", session_of(staging_only)), Reader("/live/changes/", session_of(viewer))

    async def read() -> None:
        await narrow.open()
        await wide.open()
        await ring("change", elsewhere.number)
        await wide.hears(1)
        await ring("change", change.number)
        await wide.hears(2)
        await narrow.hears(1)

    in_loop(read)

    assert narrow.topics() == ["changes"]
    assert wide.topics() == ["changes", "changes"]


def test_s11_event__many_readers__encoded_once(change: Change) -> None:
    sessions = [session_of(make_person(f"viewer{n}", ["viewer"])) for n in range(10)]
    readers = [Reader(f"/live/change-{change.number}/", key) for key in sessions]

    async def read() -> None:
        for reader in readers:
            await reader.open()
        await ring("change", change.number)
        for reader in readers:
            await reader.hears(1)
        assert live.hub().encoded == 1

    in_loop(read)

    assert len({reader.events("state")[0].token for reader in readers}) == 1


def test_s11_event__holds_topic_and_token_alone(change: Change, viewer: User) -> None:
    reader = Reader(f"/live/change-{change.number},cluster-eu-west/", session_of(viewer))

    async def read() -> None:
        await reader.open()
        await ring("change", change.number)
        await reader.hears(1)

    in_loop(read)

    event = reader.events("state")[0]
    assert event.data == {"topic": f"change-{change.number}"}
    assert event.token.startswith(f"change-{change.number}:")


def test_s11_progress__newest_wins_and_state_stays(change: Change, viewer: User) -> None:
    slow = Reader(f"/live/change-{change.number}/", session_of(viewer))

    async def read() -> None:
        await slow.open()
        stream = next(iter(live.hub().streams))
        stream.box.put(b"state\n\n")
        for number in range(100):
            stream.box.replace("change-1", f"progress {number}\n\n".encode())
        assert stream.box.take() == (b"state\n\n", b"progress 99\n\n")

    in_loop(read)


def test_s11_slow_reader__bounded_then_told_to_read_anew(change: Change, viewer: User, settings: Settings) -> None:
    slow = Reader(f"/live/change-{change.number}/", session_of(viewer), is_slow=True)

    async def read() -> None:
        await slow.open()
        stream = next(iter(live.hub().streams))
        for _ in range(BOX * 3):
            live.hub()._spread(Fact("change", str(change.number)), ())
        assert stream.box.is_overrun
        said = live.waiting(stream)
        assert said.startswith(b"event: resync\n")
        assert said.count(b"event:") == 1
        stream.end()
        await until(lambda: slow.has_ended)  # although it never took a byte

    in_loop(read)


def test_s11_last_event_id__known__only_what_was_missed(change: Change, viewer: User) -> None:
    first = Reader(f"/live/changes,change-{change.number}/", session_of(viewer))
    again = Reader(first.path, first.session)

    async def read() -> None:
        await first.open()
        await ring("change", change.number)
        await first.hears(2)
        await first.leave()
        again.headers = {"last-event-id": first.position()}
        await ring("change", change.number)
        await ring("change", change.number)
        await until(lambda: len(live.hub().ring(("change", ""))._told) >= 2)
        await again.open()
        await again.hears(2)

    in_loop(read)

    assert again.events("resync") == []
    assert not {event.token for event in again.events("state")} & {event.token for event in first.events("state")}


def test_s11_last_event_id__list__tells_only_what_is_in_scope(elsewhere: Change, staging_only: User) -> None:
    first = Reader("/live/changes/", session_of(staging_only))
    again = Reader(first.path, first.session)

    async def read() -> None:
        await first.open()
        await first.leave()
        again.headers = {"last-event-id": first.position()}
        await ring("change", elsewhere.number)
        await until(lambda: len(live.hub().ring(("change", ""))._told) == 1)
        await again.open()
        await until(lambda: b": beat" in again.body)

    in_loop(read)

    assert [event.name for event in again.events()] == ["hello", "done"]


@pytest.mark.parametrize(
    "forged",
    ["", "changes:ffffffffffff", "changes:@1", "changes:@99999999999999999999", "changes:", "x" * 9000, "a:b c"],
)
def test_s11_last_event_id__forged_or_too_old__read_anew(forged: str, change: Change, viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer), headers={"last-event-id": forged})

    async def read() -> None:
        await reader.open()
        await until(lambda: bool(reader.events("resync")))

    in_loop(read)

    assert [event.name for event in reader.events()] == ["hello", "resync", "done"]


def test_s11_time_of_the_page__what_moved_since_is_told(change: Change, viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer))

    async def read() -> None:
        live.hub()._whole_since -= 60
        drawn = int(clock.now().timestamp() * 1000)
        reader.headers = {"last-event-id": f"changes:@{drawn}"}
        await ring("change", change.number)
        await until(lambda: len(live.hub().ring(("change", ""))._told) == 1)
        await reader.open()
        await reader.hears(1)

    in_loop(read)

    assert reader.events("resync") == []


def test_s11_bus__away__said_and_read_anew_when_it_is_back(change: Change, viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer))

    async def read() -> None:
        await reader.open()
        live.hub().set_away(is_away=True)
        await until(lambda: bool(reader.events("stale")))
        live.hub().miss()
        live.hub().set_away(is_away=False)
        await until(lambda: bool(reader.events("fresh")) or not reader.events("resync")[-1].data["away"])

    in_loop(read)


def test_s11_server__leaves__streams_are_closed(viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer))

    async def read() -> None:
        await reader.open()
        live.end_streams()
        await until(lambda: reader.is_over)

    in_loop(read)

    assert reader.events()[-1].name == "done"
