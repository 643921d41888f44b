"""Saved views: kept, renamed, opened, defaults; one's own alone; recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from accounts import saved
from accounts.models import Grant, SavedView
from audit.selectors import list_events
from audit.types import SYSTEM
from meshui.lib.errors import DeniedError, InvalidError, MissingError
from tests.people import as_actor, make_person
from tests.traffic.factories import make_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
QUERY = "health=unreachable&sort=-name"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def keep(person: User, name: str = "Broken", query: str = QUERY, **more: bool) -> SavedView:
    """A view of the list of clusters."""
    return saved.save_view(actor=as_actor(person), path="/clusters/", query=query, name=name, **more)


def test_save_view__same_name_again__replaced_and_recorded(viewer: User) -> None:
    keep(viewer)

    keep(viewer, query="q=eu")

    assert [view.url for view in saved.list_saved_views(viewer)] == ["/clusters/?q=eu"]
    assert list_events(action="accounts.view.saved").count() == 2


@pytest.mark.parametrize("name", ["", "  ", "n" * 61])
def test_save_view__no_name_or_too_long__refused(viewer: User, name: str) -> None:
    with pytest.raises(InvalidError):
        keep(viewer, name)


def test_save_view__no_person__refused() -> None:
    with pytest.raises(DeniedError):
        saved.save_view(actor=SYSTEM, path="/clusters/", query="", name="All")


def test_save_view__too_many__refused(viewer: User) -> None:
    SavedView.objects.bulk_create(SavedView(user=viewer, name=f"v{n}", path="/clusters/") for n in range(saved.MOST))

    with pytest.raises(InvalidError, match="too many"):
        keep(viewer)


def test_default__second_one__takes_the_place_of_the_first(viewer: User) -> None:
    first = keep(viewer, "First", is_default=True)

    second = keep(viewer, "Second", is_default=True)

    assert [view.pk for view in saved.list_saved_views(viewer) if view.is_default] == [second.pk]
    saved.set_default_view(actor=as_actor(viewer), view_id=first.pk, is_default=True)
    assert saved.default_queries(viewer) == {"/clusters/": QUERY}
    assert SavedView.objects.filter(is_default=True).get() == first


def test_rename__taken_or_of_others__refused(viewer: User, author: User) -> None:
    view, _ = keep(viewer), keep(viewer, "Other")

    with pytest.raises(InvalidError, match="Other"):
        saved.rename_view(actor=as_actor(viewer), view_id=view.pk, name="Other")
    with pytest.raises(MissingError):
        saved.rename_view(actor=as_actor(author), view_id=view.pk, name="Mine")
    with pytest.raises(MissingError):
        saved.delete_view(actor=as_actor(author), view_id=view.pk)
    assert saved.rename_view(actor=as_actor(viewer), view_id=view.pk, name=" Very  broken ").name == "Very broken"


def test_page__save_then_open__the_same_list(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    make_cluster("eu-west")
    make_cluster("us-east", health="unreachable")

    done = client.post("/views/", {"name": "Broken", "at": "/clusters/?health=unreachable&q=&after=abc"})

    view = saved.list_saved_views(viewer)[0]
    assert (done.status_code, done["Location"]) == (303, "/clusters/?health=unreachable")
    opened = client.get(f"/views/{view.pk}/", follow=True)
    assert opened.request["QUERY_STRING"] == "health=unreachable"
    assert "us-east" in opened.content.decode()
    assert "/clusters/eu-west/" not in opened.content.decode()
    assert "Broken" in client.get("/views/?at=/clusters/").content.decode()


def test_page__default__opens_the_bare_list_and_all_is_one_link_away(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    client.post("/views/", {"name": "Broken", "at": "/clusters/?health=unreachable", "is_default": "on"})

    bare, narrowed = client.get("/clusters/"), client.get("/clusters/?health=unreachable")

    assert (bare.status_code, bare["Location"]) == (302, "/clusters/?health=unreachable")
    assert 'href="?view=all"' in narrowed.content.decode()
    assert client.get("/clusters/?view=all").status_code == 200
    partial = client.get("/clusters/?q=", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert partial["HX-Push-Url"] == "/clusters/?view=all"


def test_page__default_of_another_session__known_after_sign_in(client: Client, viewer: User) -> None:
    keep(viewer, is_default=True)

    client.force_login(viewer)

    assert client.get("/clusters/")["Location"] == f"/clusters/?{QUERY}"


def test_page__no_longer_a_default__the_list_opens_bare(client: Client, viewer: User) -> None:
    view = keep(viewer, is_default=True)
    client.force_login(viewer)

    client.post(f"/views/{view.pk}/default/")

    assert client.get("/clusters/").status_code == 200


def test_page__verbs__done_and_said(client: Client, viewer: User) -> None:
    view = keep(viewer)
    client.force_login(viewer)

    client.post(f"/views/{view.pk}/rename/", {"name": "Dark"})
    renamed = [each.name for each in saved.list_saved_views(viewer)]
    client.post(f"/views/{view.pk}/rename/", {"name": ""})
    client.post(f"/views/{view.pk}/delete/")

    assert renamed == ["Dark"]
    assert saved.list_saved_views(viewer) == []


def test_page__list_not_readable_any_more__404_and_not_named(client: Client, viewer: User) -> None:
    view = keep(viewer)
    Grant.objects.all().delete()
    client.force_login(viewer)

    assert client.get(f"/views/{view.pk}/").status_code == 404
    assert "Broken" not in client.get("/views/").content.decode()


def test_page__view_of_others__404_as_what_is_missing(client: Client, viewer: User) -> None:
    view = keep(make_person("maria", ["viewer"]))
    client.force_login(viewer)

    answers = [client.get(f"/views/{view.pk}/"), client.post(f"/views/{view.pk}/delete/")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert SavedView.objects.filter(pk=view.pk).exists()


@pytest.mark.parametrize(
    "at", ["//evil.example/", "https://evil.example/clusters/", "/nowhere/", "/audit/", "/views/", "\0", ""]
)
def test_page__no_list_that_one_may_read__not_kept(client: Client, viewer: User, at: str) -> None:
    client.force_login(viewer)

    answer = client.post("/views/", {"name": "Trap", "at": at})

    assert answer.status_code == (422 if at in {"", "\0"} else 404)
    assert not SavedView.objects.exists()
