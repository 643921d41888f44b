"""Every URL of the product against the count of queries that is committed for it (tests/query_counts.json)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from accounts.types import ROLES
from tests.people import make_person
from tests.query_counts import FILE, QueryCounts
from tests.test_routes import ROUTES, Place, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
MOST = 20
"""What a page may send at most (performance.md §4): committed counts only ever shrink, and none is above it."""


@pytest.fixture(autouse=True)
def _many_requests(repeated_queries: None) -> Iterator[None]:
    """One request after the other: no loop that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def ours(author: User) -> Place:
    """One of each thing that has a page."""
    return place("eu-west", author)


def test_queries__every_url__no_more_than_committed(client: Client, ours: Place) -> None:
    client.force_login(make_person("maria", sorted(ROLES)))
    counts = QueryCounts()
    client.get("/")
    complaints = []

    for name in sorted(ROUTES):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(ours.url(name))
        if answer.status_code == 200:
            complaints.append(counts.complaint(f"url {name}", captured))

    assert len(complaints) > 100
    assert [each for each in complaints if each] == []


def test_queries__committed_for_urls__none_above_what_a_page_may_send() -> None:
    committed = json.loads(FILE.read_text(encoding="utf-8"))

    assert {name: n for name, n in committed.items() if name.startswith("url ") and n > MOST} == {}
