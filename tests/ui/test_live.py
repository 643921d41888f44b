"""Row S11: streams of live data for whom they are meant, for as long as they are, at a bounded price."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Grant, User
from accounts.services import revoke_grant
from audit.types import SYSTEM
from clusters.models import Cluster
from meshui.lib.bus import publish
from meshui.ui import live
from meshui.ui.visitors import MOST_TOPICS
from tests.people import make_person
from tests.traffic.factories import make_change, make_cluster, make_route
from tests.ui.streams import Reader, in_loop, in_thread, session_of, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from pytest_django import Settings

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


def refused(reader: Reader) -> int:
    """The status of a request that gets no stream."""

    async def ask() -> None:
        await reader.open()
        await until(lambda: reader.is_over)

    in_loop(ask)
    return reader.status


# --- who gets one ----------------------------------------------------------------------------------------------------
def test_s11_stream__of_the_reader__tells_what_moved_with_the_guards_of_pages(
    change: Change, viewer: User, client: Client
) -> None:
    reader = Reader(f"/live/changes,change-{change.number},clusters,cluster-eu-west/", session_of(viewer))

    cluster = Cluster.objects.get().pk

    async def read() -> None:
        await reader.open()
        await ring("change", change.number)
        await reader.hears(2)
        await ring("cluster", cluster)
        await reader.hears(4)
        await until(lambda: b": beat" in reader.body)
        await reader.leave()

    in_loop(read)

    assert reader.status == 200
    assert reader.topics() == [f"change-{change.number}", "changes", "cluster-eu-west", "clusters"]
    assert reader.answered["content-type"] == "text/event-stream; charset=utf-8"
    assert reader.answered["cache-control"] == "no-cache, no-transform"
    assert reader.answered["x-accel-buffering"] == "no"
    client.force_login(viewer)
    page = client.get("/changes/")
    for name in ("Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy"):
        assert sorted(reader.answered[name.lower()].split("; ")) == sorted(page[name].split("; "))
    for name in ("X-Content-Type-Options", "Cross-Origin-Resource-Policy", "Permissions-Policy"):
        assert reader.answered[name.lower()] == page[name]


def test_s11_stream__anonymous_or_ended_session__401(viewer: User, client: Client) -> None:
    client.force_login(viewer)
    key = client.session.session_key or ""
    client.logout()

    assert refused(Reader("/live/changes/")) == 401
    assert refused(Reader("/live/changes/", "f" * 32)) == 401
    assert refused(Reader("/live/changes/", key)) == 401


def test_s11_stream__password_changed_since__401(viewer: User) -> None:
    key = session_of(viewer)
    viewer.set_password("another-horse-battery-staple")
    viewer.save()

    assert refused(Reader("/live/changes/", key)) == 401


def test_s11_stream__deactivated_person__401(viewer: User) -> None:
    key = session_of(viewer)
    User.objects.filter(pk=viewer.pk).update(is_active=False)

    assert refused(Reader("/live/changes/", key)) == 401


def test_s11_topic__forbidden__answers_as_unknown(elsewhere: Change, staging_only: User, stranger: User) -> None:
    answers = []
    for topic in (f"change-{elsewhere.number}", "change-999999", "cluster-us-east", "cluster-nowhere", "change-abc"):
        reader = Reader(f"/live/{topic}/", session_of(staging_only))
        refused(reader)
        answers.append((reader.status, reader.body, {**reader.answered, "x-request-id": ""}))

    assert {status for status, _, _ in answers} == {404}
    assert all(answer == answers[0] for answer in answers)
    assert refused(Reader("/live/changes/", session_of(stranger))) == 404


@pytest.mark.parametrize(
    "path",
    [
        "/live/",
        "/live//",
        "/live/changes",
        "/live/changes,/",
        "/live/Changes/",
        "/live/services/",
        "/live/change-/",
        "/live/change-1/2/",
        "/live/cluster-a_b/",
        "/live/../",
        "/live/" + ",".join(f"change-{n}" for n in range(MOST_TOPICS + 1)) + "/",
    ],
)
def test_s11_path__not_of_the_grammar__404_before_anything_is_read(path: str, viewer: User) -> None:
    assert refused(Reader(path, session_of(viewer))) == 404


def test_s11_topics__one_of_two_forbidden__the_other_is_told(
    change: Change, elsewhere: Change, staging_only: User
) -> None:
    reader = Reader(f"/live/change-{change.number},change-{elsewhere.number}/", session_of(staging_only))

    async def read() -> None:
        await reader.open()
        await ring("change", elsewhere.number)
        await ring("change", change.number)
        await reader.hears(1)
        await reader.leave()

    in_loop(read)

    assert reader.topics() == [f"change-{change.number}"]
    assert str(elsewhere.number) not in "".join(reader.events("hello")[0].data["at"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_s11_request__from_elsewhere__refused(headers: dict[str, str], status: int, viewer: User) -> None:
    assert refused(Reader("/live/changes/", session_of(viewer), headers=headers)) == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_s11_request__other_method__405(method: str, viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer), method=method)

    assert refused(reader) == 405
    assert reader.answered["allow"] == "GET"


def test_s11_request__plain_http_where_https_is_asked_for__400(viewer: User, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert refused(Reader("/live/changes/", session_of(viewer))) == 400


def test_s11_streams__thirteenth_of_a_person__429_until_one_ends(viewer: User, approver: User) -> None:
    key = session_of(viewer)

    async def read() -> None:
        readers = [await Reader("/live/changes/", key).open() for _ in range(12)]
        thirteenth = await Reader("/live/changes/", key).open()
        another = await Reader("/live/changes/", session_of_approver).open()
        assert [reader.status for reader in readers] == [200] * 12
        assert (thirteenth.status, thirteenth.answered["retry-after"]) == (429, "5")
        assert another.status == 200
        await readers[0].leave()
        assert (await Reader("/live/changes/", key).open()).status == 200

    session_of_approver = session_of(approver)
    in_loop(read)


# --- for how long ----------------------------------------------------------------------------------------------------
def closed_after(reader: Reader, act: Callable[[], object]) -> list[str]:
    """Open it, `act`, wait until it is closed; the names of its events."""

    async def read() -> None:
        await reader.open()
        assert reader.status == 200
        await in_thread(act)
        await until(lambda: reader.is_over)
        assert not live.hub().streams

    in_loop(read)
    return [event.name for event in reader.events() if event.name != "resync"]


def test_s11_stream__grant_revoked__closed_by_the_bell(viewer: User, settings: Settings) -> None:
    settings.LIVE_REREAD_SECONDS = 3600
    grant = Grant.objects.get(user=viewer)
    reader = Reader("/live/changes/", session_of(viewer))

    names = closed_after(reader, lambda: revoke_grant(actor=SYSTEM, grant_id=grant.pk))

    assert names == ["hello", "done"]


def test_s11_stream__grant_gone_without_a_bell__closed_by_the_next_reading(viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer))

    assert closed_after(reader, Grant.objects.filter(user=viewer).delete) == ["hello", "done"]


def test_s11_stream__grant_narrowed__closed_where_the_change_is_out_of_scope(elsewhere: Change, viewer: User) -> None:
    reader = Reader(f"/live/change-{elsewhere.number}/", session_of(viewer))
    narrow = {"environment": ["staging"]}

    names = closed_after(reader, lambda: Grant.objects.filter(user=viewer).update(scope=narrow))

    assert names == ["hello", "done"]


def test_s11_stream__session_ended__closed(viewer: User, client: Client) -> None:
    client.force_login(viewer)
    reader = Reader("/live/changes/", client.session.session_key or "")

    assert closed_after(reader, lambda: client.post("/sign-out/")) == ["hello", "done"]


def test_s11_stream__person_deactivated__closed(viewer: User) -> None:
    reader = Reader("/live/changes/", session_of(viewer))

    assert closed_after(reader, lambda: User.objects.filter(pk=viewer.pk).update(is_active=False)) == ["hello", "done"]


def test_s11_rights__many_streams__one_round_of_queries(
    change: Change, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LIVE_REREAD_SECONDS = 3600
    sessions = [session_of(make_person(f"viewer{n}", ["viewer"])) for n in range(8)]

    def queries_of(count: int) -> int:
        async def read() -> None:
            path = f"/live/changes,change-{change.number},cluster-eu-west/"
            for key in sessions[:count]:
                await Reader(path, key).open()
            here, ask = live.hub(), live.hub().ask
            monkeypatch.setattr(here, "ask", lambda question: ask(lambda: counted(question)))
            await here.judge()

        def counted(question: Callable[[], object]) -> object:
            with CaptureQueriesContext(connection) as captured:
                found = question()
            counts.append(len(captured))
            return found

        counts: list[int] = []
        in_loop(read)
        return counts[0]

    few, many = queries_of(1), queries_of(8)

    assert few == many <= 5
