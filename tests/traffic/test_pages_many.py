"""The pages of a change over sixteen clusters: how much they weigh, what they ask of the database."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from tests.traffic.factories import in_review, make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User
    from meshes.models import Route

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
URL = "/services/all/shop/checkout/split/"
KIB = 1024
PAGE, FRAGMENT = 25 * KIB, 15 * KIB
CLUSTERS = 16


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def routes(db: None) -> list[Route]:
    """shop/checkout, 90/10 in each of sixteen clusters."""
    return [make_route(make_cluster(f"cluster-{number:02}")) for number in range(CLUSTERS)]


def weight(answer: Any) -> int:
    """Bytes on the wire, as a proxy packs them."""
    return len(gzip.compress(answer.content, mtime=0))


def asked(routes: list[Route]) -> dict[str, Any]:
    """75/25 on these."""
    return {"r0-weight-0": "75", "r0-weight-1": "25", "route": [str(route.pk) for route in routes]}


def test_split_form__sixteen_clusters__small_and_asks_little(
    client: Client, author: User, routes: list[Route], count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    client.force_login(author)
    client.get(URL)

    with count_queries("split-form-16"):
        answer = client.get(URL)

    assert answer.content.decode().count('name="route"') == CLUSTERS
    assert weight(answer) <= PAGE


def test_preview__sixteen_clusters__small_and_as_many_queries_as_for_two(
    client: Client, author: User, routes: list[Route], count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    client.force_login(author)
    client.post(f"{URL}preview/", asked(routes[:2]), headers=HTMX)

    with count_queries("split-preview-16"):
        client.post(f"{URL}preview/", asked(routes[:2]), headers=HTMX)
    with count_queries("split-preview-16"):
        answer = client.post(f"{URL}preview/", asked(routes), headers=HTMX)

    assert answer.content.decode().count("changes VirtualService shop/checkout") == CLUSTERS
    assert weight(answer) <= FRAGMENT


def test_change__sixteen_clusters__small_and_asks_little(
    client: Client, author: User, routes: list[Route], count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    change = in_review(author, routes)
    client.force_login(author)
    client.get(f"/changes/{change.number}/")

    with count_queries("change-page-16"):
        answer = client.get(f"/changes/{change.number}/")

    assert answer.content.decode().count("accepted the dry run") == CLUSTERS
    assert weight(answer) <= PAGE


def test_change__sixteen_clusters__looking_again_without_news_asks_less(
    client: Client, author: User, routes: list[Route], count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    change = in_review(author, routes)
    client.force_login(author)
    page = client.get(f"/changes/{change.number}/")
    url = page.context["live_url"]

    with count_queries("change-live-16"):
        answer = client.get(url, headers=HTMX)

    assert answer.status_code == 204
