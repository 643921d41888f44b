"""Row S4: forty secrets go in by every way there is; no byte of one comes out by any other."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import Grant, SavedView
from accounts.types import ROLES
from audit.selectors import get_event, list_events
from clusters.services import NewCluster, add_cluster
from meshes.models import Mesh, Route
from meshui.lib import queue
from meshui.lib.queue import drain
from tests.canaries import plant, spoil, written
from tests.clusters.makers import checked, parsed
from tests.meshes.conftest import read
from tests.people import as_actor, make_person
from tests.servers import wait_until
from tests.test_routes import NOWHERE, ROUTES, Place, ids_of
from tests.traffic.factories import make_managed
from tests.ui.streams import Reader, in_loop, session_of
from traffic.models import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]
KEPT = [("session", "rows")]
"""ADR 0005: sessions of people are found by their keys, which stand in the database as in Django's own table."""


@pytest.fixture
def line_of_all() -> Iterator[io.StringIO]:
    """What the console would show of every record, at the finest level."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(next(h.formatter for h in logging.getLogger().handlers if _is_console(h)))
    root = logging.getLogger()
    before, root.level = root.level, logging.DEBUG
    root.addHandler(handler)
    yield shown
    root.removeHandler(handler)
    root.level = before


def _is_console(handler: logging.Handler) -> bool:
    return type(handler) is logging.StreamHandler and handler.formatter is not None


def place(author: User) -> Place:
    """One of each thing that has a page."""
    change, mesh = Change.objects.get(), Mesh.objects.get()
    route = Route.objects.get(namespace="shop", name="checkout")
    view = SavedView.objects.create(user=author, name="Mine", path="/clusters/")
    seq = list_events(action="traffic.change.proposed")[0].seq
    grant = Grant.objects.filter(user=author)[0].pk
    known: dict[str, Any] = {"token": NOWHERE, "session": NOWHERE, "view": view.pk, "managed": make_managed(route).pk}
    ids = ids_of(mesh=mesh.pk, route=route.pk, user=author.pk, grant=grant, seq=seq, **known)
    return Place("eu-west", "shop", change.number, ids)


def pages(where: Place, reader: User) -> bytes:
    """Every page and every answer of the API."""
    client = Client()
    client.force_login(reader)
    return b"\n".join(client.get(where.url(name)).content for name in ROUTES)


def streamed(reader: User) -> bytes:
    """What a stream of all topics tells somebody who has seen nothing yet."""
    stream = Reader("/live/changes,change-1,clusters,cluster-eu-west/", session_of(reader))

    async def hear() -> None:
        await stream.open()

    in_loop(hear)
    assert stream.status == 200
    return stream.body + repr(stream.answered).encode()


def rows() -> bytes:
    """Every cell of every table, as a thief of the database would read it."""
    cells: list[bytes] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own tables
            for row in cursor.fetchall():
                cells += [bytes(c) if isinstance(c, bytes | memoryview) else str(c).encode() for c in row]
    return b"\n".join(cells)


def history() -> bytes:
    """What auditors take away."""
    return "\n".join(get_event(event.seq).text for event in list_events()).encode()


class Overheard:
    """The doorbell's queue, with somebody at the door."""

    def __init__(self, inner: Any, heard: list[bytes]) -> None:
        self.inner, self.heard = inner, heard

    def put(self, message: tuple[str, str]) -> None:
        """As the queue does."""
        self.heard.append(repr(message).encode())
        self.inner.put(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@contextmanager
def overheard() -> Iterator[list[bytes]]:
    """Every command that reaches Redis, where there is one; else every message of the doorbell in this process."""
    heard: list[bytes] = []
    if not settings.BROKER_URL:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(queue, "_messages", Overheard(queue._messages, heard))
            yield heard
        return
    client = redis.Redis.from_url(settings.BROKER_URL)
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]
        listener = threading.Thread(target=_listen, args=(monitor, heard), daemon=True)
        listener.start()
        yield heard
        client.set("canaries", "over")
        wait_until(lambda: not listener.is_alive())
    client.close()


def _listen(monitor: Any, heard: list[bytes]) -> None:
    for command in monitor.listen():
        heard.append(command["command"].encode())
        if heard[-1].endswith(b"over"):
            return


def check(admin: User, author: User, emulated: EmulatedCluster, log: io.StringIO) -> None:
    """Send all, look everywhere."""
    spoil(emulated)
    new = NewCluster("eu-west", "eu-west", "staging", parsed(emulated.admin_kubeconfig()), writes=True)
    with overheard() as heard:
        cluster = add_cluster(actor=as_actor(admin), new=new)
        checked(cluster)
        assert read(cluster)
        secrets, answers = plant(admin, author)
        drain()
    reader = make_person("reader", sorted(ROLES))
    out = {"answers": b"\n".join(answers), "pages": pages(place(author), reader), "stream": streamed(reader)}
    out |= {"rows": rows(), "history": history(), "log": log.getvalue().encode(), "messages": b"\n".join(heard)}

    assert len(set(secrets.values())) == 40
    assert {name: len(text) for name, text in out.items() if len(text) < 200} == {}
    found = [
        (way, name)
        for way, secret in secrets.items()
        for name, text in out.items()
        if any(each in text for each in written(secret))
    ]
    assert found == KEPT


def test_s04_canary__any_path__absent(
    admin: User, author: User, eu_west: EmulatedCluster, line_of_all: io.StringIO
) -> None:
    check(admin, author, eu_west, line_of_all)


@pytest.mark.services
def test_s04_canary__any_path_with_redis__absent(
    broker: str, admin: User, author: User, eu_west: EmulatedCluster, line_of_all: io.StringIO
) -> None:
    check(admin, author, eu_west, line_of_all)


def test_s04_written__each_encoding__is_found() -> None:
    secret = "eyJh" + "0123456789abcdef" * 2
    for shift in range(7):
        text = base64.b64encode(b"x" * shift + secret.encode() + b"yz")
        assert any(each in text for each in written(secret)), shift
    assert any(each in json.dumps({"a": secret}).encode() for each in written(secret))
