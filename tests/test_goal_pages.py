"""Goals of pages that no browser is needed for: nobody waits for a cluster, and no page holds more than 200 rows."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from zeal import zeal_ignore

from accounts.models import User
from accounts.types import ROLES
from clusters import connect
from clusters.models import Cluster
from meshes.models import Namespace
from meshui.lib.clock import now
from meshui.ui.tables import PAGE_SIZES
from tests.people import make_person
from tests.test_routes import ROUTES, Place, place
from tests.traffic.calling import make_calls, make_services
from tests.traffic.factories import make_managed, many_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
TABLE = re.compile(r"<tbody.*?</tbody>", re.DOTALL)
ONE_MORE = PAGE_SIZES[-1] + 1
FULL = {"clusters:cluster-list", "meshes:service-list", "traffic:change-list", "audit:event-list", "traffic:drift-list"}
"""Lists that have more than they may show here: if they showed fewer than they may, the test would prove nothing."""


@pytest.fixture(autouse=True)
def _many_requests(repeated_queries: None) -> Iterator[None]:
    """One request after the other: no loop that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def ours(author: User) -> Place:
    """One of each thing that has a page."""
    return place("eu-west", author)


def test_goal_03_pages__every_url__asks_neither_a_cluster_nor_its_prometheus(
    client: Client, ours: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(make_person("maria", sorted(ROLES)))
    asked: list[Any] = []

    def refuse(*what: Any) -> NoReturn:
        asked.append(what)
        raise AssertionError(f"A page asks {what}.")

    monkeypatch.setattr(connect, "_transport", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    answers = {name: client.get(ours.url(name)).status_code for name in ROUTES}

    assert asked == []
    assert sum(status == 200 for status in answers.values()) > 100


def fill(author: User) -> None:
    """One row more than a page may hold, of whatever there are lists of."""
    cluster = Cluster.objects.get(slug="eu-west")
    names = [f"s{n:03}" for n in range(ONE_MORE)]
    make_services(cluster, *names)
    shared = {"environment": "staging", "server": "https://far.example:6443", "created_at": now()}
    Cluster.objects.bulk_create(Cluster(slug=name, name=name, **shared) for name in names)
    User.objects.bulk_create(User(username=name, display_name=name) for name in names)
    read = {"cluster": cluster, "content_hash": "", "read_at": now()}
    Namespace.objects.bulk_create(Namespace(name=name, uid=name, **read) for name in names)
    routes = [make_calls(cluster, name, {"checkout": 10_000}) for name in names]
    for route in routes:
        make_managed(route)
    many_changes(author, cluster.routes.get(name="checkout"), ONE_MORE)


def rows_of(client: Client, url: str) -> int:
    """Of its longest table."""
    text = client.get(url).content.decode(errors="replace")
    return max((table.count("<tr") for table in TABLE.findall(text)), default=0)


def test_goal_05_lists__201_rows__no_page_shows_more_than_200(client: Client, ours: Place, author: User) -> None:
    client.force_login(make_person("maria", sorted(ROLES)))
    fill(author)
    most: dict[str, int] = {}

    for name in (name for name in ROUTES if not name.startswith("api:")):
        most[name] = rows_of(client, f"{ours.url(name)}?rows={ONE_MORE}")
        if most[name] >= PAGE_SIZES[0]:
            most[name] = max(most[name], rows_of(client, f"{ours.url(name)}?rows={PAGE_SIZES[-1]}"))

    assert {name: rows for name, rows in most.items() if rows > PAGE_SIZES[-1]} == {}
    assert {name: most[name] for name in FULL} == dict.fromkeys(FULL, PAGE_SIZES[-1])
