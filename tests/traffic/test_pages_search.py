"""/search/: what is found, by whom, in how many queries, and the same without script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.models import Mesh
from meshui.lib.clock import now
from tests.people import make_person
from tests.traffic.factories import in_review, make_cluster, make_route, many_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def found(client: Client, user: User, text: str, **headers: Any) -> str:
    """What `user` gets for `text`."""
    client.force_login(user)
    answer = client.get("/search/", {"q": text}, headers=headers or None)
    assert answer.status_code == 200
    return answer.content.decode()


def fill(author: User) -> None:
    """A cluster with a mesh, a service and a change."""
    cluster = make_cluster()
    Mesh.objects.create(cluster=cluster, kind="istio", trust_domain="cluster.local", content_hash="", read_at=now())
    in_review(author, [make_route(cluster)])


def test_search__every_kind__is_a_link(client: Client, author: User) -> None:
    fill(author)

    by_name, by_title, by_mesh = (found(client, author, text) for text in ("eu-w", "checkout", "istio"))

    assert 'href="/clusters/eu-west/"' in by_name
    assert "Istio in eu-west" in by_name
    assert 'href="/services/all/shop/checkout/"' in by_title
    assert 'href="/services/all/shop/checkout/split/"' in by_title
    assert "Shift checkout" in by_title
    assert "Istio in eu-west" in by_mesh


def test_search__number__is_the_change_with_or_without_hash(client: Client, author: User) -> None:
    fill(author)
    change = many_changes(author, make_route(make_cluster("c-0")), 1)[0]

    assert f'href="/changes/{change.number}/"' in found(client, author, f"#{change.number}")
    assert f'href="/changes/{change.number}/"' in found(client, author, str(change.number))
    assert 'href="/changes/' not in found(client, author, "#99999", **PARTIAL)


def test_search__page_and_deed__by_the_beginning_of_words(client: Client, admin: User) -> None:
    text = found(client, admin, "clu", **PARTIAL)

    assert 'href="/clusters/"' in text
    assert 'href="/clusters/add/"' in text
    assert 'href="/audit/"' not in text


def test_search__split_before_a_name__means_the_service(client: Client, author: User) -> None:
    fill(author)

    assert 'href="/services/all/shop/checkout/split/"' in found(client, author, "split check", **PARTIAL)


def test_search__viewer__finds_no_deed_and_no_page_without_the_right(
    client: Client, author: User, viewer: User
) -> None:
    fill(author)

    text = found(client, viewer, "checkout") + found(client, viewer, "cl", **PARTIAL)

    assert 'href="/services/all/shop/checkout/"' in text
    assert "/split/" not in text
    assert 'role="option"' in text
    assert 'id="palette-list"' in text
    assert 'href="/access/"' not in text


@pytest.mark.parametrize("text", ["checkout", "eu-west", "istio", "#1", "1", "Shift", "shop/ch"])
def test_search__other_scope__nothing_of_it(client: Client, author: User, text: str) -> None:
    fill(author)
    maria = make_person("maria", ["viewer", "author"], scope={"environment": ["production"]})

    body = found(client, maria, text, **PARTIAL)

    assert "/services/all/" not in body
    assert "/changes/" not in body.replace('href="/changes/"', "")
    assert "eu-west" not in body.replace("“eu-west”", "")


def test_search__one_character__objects_are_not_looked_for(client: Client, author: User) -> None:
    fill(author)

    assert "/services/all/" not in found(client, author, "c", **PARTIAL)


@pytest.mark.parametrize(
    "text", ["%", "__", "\0\0", "\ud800x", "'; --", "a" * 5000, "#" * 90, "٣٣", "²²", "#²", "9" * 60]
)
def test_search__odd_text__is_text(client: Client, author: User, text: str) -> None:
    fill(author)
    client.force_login(author)

    answer = client.get("/search/?q=" + "".join(f"%{b:02x}" for b in text.encode("utf-8", "surrogatepass")))

    assert answer.status_code == 200
    assert b"/services/all/" not in answer.content


def test_search__at_most_eight_of_a_kind_and_six_queries(
    client: Client, author: User, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    fill(author)
    for number in range(20):
        make_cluster(f"eu-{number}")
    many_changes(author, make_route(make_cluster("eu-last")), 12)
    client.force_login(author)

    with count_queries("search-fragment"):
        text = client.get("/search/", {"q": "eu"}, headers=PARTIAL).content.decode()
    changes = found(client, author, "change", **PARTIAL)

    assert text.count('href="/clusters/eu-') == 8
    assert changes.count('href="/changes/') == 8 + 1  # and the page itself


def test_search__nobody_signed_in__sign_in(client: Client) -> None:
    assert client.get("/search/?q=x").status_code == 302
    assert client.get("/search/?q=x", headers=PARTIAL).status_code == 401
