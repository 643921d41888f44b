"""Sessions: where somebody is signed in, and how that ends; profile and accounts."""

from __future__ import annotations

import datetime as dt
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from accounts.models import Grant, User, UserSession
from accounts.services import change_profile, close_account, grant_role, open_account, revoke_grant
from accounts.sessions import browser_of
from accounts.tokens import NewToken, make_token
from audit.selectors import list_events
from audit.types import SYSTEM
from meshui.lib import clock
from meshui.lib.errors import GoneError, InvalidError
from tests.people import PASSWORD, as_actor, give_password, make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _many_requests(repeated_queries: None) -> Iterator[None]:
    """Several requests in one test: no loop that zeal looks for."""
    with zeal_ignore():
        yield


def entered(user: User) -> Client:
    """A browser of its own, in which `user` is signed in."""
    client = Client(headers={"User-Agent": FIREFOX})
    client.force_login(user)
    return client


def is_in(client: Client) -> bool:
    """Whether the browser is still signed in."""
    return client.get("/me/").status_code == 200


def test_sign_in__by_the_form__has_its_row_and_a_new_key(client: Client, viewer: User) -> None:
    give_password(viewer)
    client.get("/sign-in/")
    before = client.session.session_key

    client.post("/sign-in/", {"login": "viewer", "password": PASSWORD}, headers={"User-Agent": FIREFOX})

    row = UserSession.objects.get()
    assert (row.user, row.browser, row.address) == (viewer, "Firefox on Linux", "127.0.0.1")
    assert client.session.session_key not in {before, None}
    assert row.session_key == client.session.session_key


def test_sign_out__ends_the_row(viewer: User) -> None:
    client = entered(viewer)

    client.post("/sign-out/")

    row = UserSession.objects.get()
    assert (row.ended_why, row.session_key) == ("Signed out.", None)
    assert not is_in(client)


def test_session__unused_for_an_hour__over_and_sign_in_asked_for(viewer: User) -> None:
    client = entered(viewer)
    clock.shift_for_tests(timedelta(minutes=59))
    assert is_in(client)
    clock.shift_for_tests(timedelta(minutes=59 + 59))
    assert is_in(client)

    clock.shift_for_tests(timedelta(minutes=59 + 59 + 60))

    answer = client.get("/clusters/")
    assert answer["Location"] == "/sign-in/?next=/clusters/"
    assert UserSession.objects.get().ended_why == "Nobody used it for too long."


def test_session__used_all_the_time__over_after_twelve_hours(viewer: User) -> None:
    client = entered(viewer)
    for hours in range(1, 24):
        clock.shift_for_tests(timedelta(minutes=30 * hours))
        assert is_in(client)

    clock.shift_for_tests(timedelta(hours=12))

    assert not is_in(client)


def test_session__whose_row_is_gone__ended_at_its_next_note(viewer: User) -> None:
    client = entered(viewer)
    UserSession.objects.all().delete()
    clock.shift_for_tests(timedelta(seconds=61))

    assert not is_in(client)
    assert Session.objects.count() == 0


def test_session__limits_of_the_settings__hold_and_are_told(admin: User, settings: Settings) -> None:
    settings.SESSION_IDLE_SECONDS, settings.SESSION_COOKIE_AGE = 600.0, 7200
    client, there = entered(admin), entered(admin)
    page = client.get("/access/sessions/").content.decode()
    assert "after 10\u202fmin without a request, 2\u202fh after its sign-in" in page
    assert (page.count("this one"), page.count("End the session of Admin?")) == (1, 2)

    clock.shift_for_tests(timedelta(minutes=9))
    assert is_in(client)
    clock.shift_for_tests(timedelta(minutes=11))

    assert (is_in(client), is_in(there)) == (True, False)


def test_session__used__noted_once_a_minute(viewer: User) -> None:
    client = entered(viewer)
    started = UserSession.objects.get().seen_at

    with CaptureQueriesContext(connection) as queries:
        client.get("/me/tokens/")
    assert [query["sql"] for query in queries if not query["sql"].startswith("SELECT")] == []
    clock.shift_for_tests(timedelta(seconds=61))
    client.get("/me/tokens/")

    assert UserSession.objects.get().seen_at >= started + timedelta(seconds=60)


def test_session__ended_elsewhere__that_browser_has_to_sign_in_again(viewer: User) -> None:
    here, there = entered(viewer), entered(viewer)
    row = UserSession.objects.get(session_key=there.session.session_key)
    assert here.get("/me/").content.decode().count("this one") == 1

    here.post(f"/me/sessions/{row.pk}/end/")

    assert (is_in(here), is_in(there)) == (True, False)
    assert list_events(action="accounts.session.ended")[0].actor_name == "viewer"


def test_sessions__all_others_ended__this_one_goes_on(viewer: User, author: User) -> None:
    browsers = [entered(viewer) for _ in range(3)]
    other = entered(author)

    browsers[0].post("/me/sessions/end-others/")

    assert [is_in(browser) for browser in (*browsers, other)] == [True, False, False, True]


def test_session__of_another__as_if_it_were_not_there(viewer: User, author: User) -> None:
    there = entered(author)
    row = UserSession.objects.get(user=author)
    client = entered(viewer)

    answers = [client.post(f"/me/sessions/{each}/end/") for each in (row.pk, "01a21919-0000-7000-8000-000000000000")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert is_in(there)


def test_sessions__access_admin__sees_and_ends_everybodys(admin: User, viewer: User) -> None:
    there, client = entered(viewer), entered(admin)
    page = client.get("/access/sessions/?q=view").content.decode()
    assert "Viewer" in page
    assert "an unknown browser" in page
    assert page.count("</tr>") == 2

    client.post(f"/me/sessions/{UserSession.objects.get(user=viewer).pk}/end/")

    assert not is_in(there)
    assert entered(viewer).get("/access/sessions/").status_code == 403


def test_revoke_grant__of_somebody_signed_in__every_session_of_theirs_ends(admin: User) -> None:
    person = make_person("someone", ["viewer", "author"])
    browsers = [entered(person), entered(person)]

    revoke_grant(actor=as_actor(admin), grant_id=Grant.objects.filter(user=person)[0].pk)

    assert [is_in(browser) for browser in browsers] == [False, False]
    assert {row.ended_why for row in UserSession.objects.filter(user=person)} == {
        "The grant Author for someone (everywhere) was taken."
    }


def test_close_account__sessions_and_tokens_dead__open_again_signs_in(admin: User) -> None:
    person = make_person("someone", ["viewer"])
    browser, client = entered(person), entered(admin)
    text = make_token(actor=as_actor(person), new=NewToken("pipeline", [], timedelta(days=1))).text

    client.post(f"/access/{person.pk}/close/", {"reason": "Left the company."})

    assert not is_in(browser)
    assert Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {text}"}).status_code == 401
    assert list_events(action="accounts.user.closed")[0].reason == "Left the company."
    assert "Open it again" in client.get(f"/access/{person.pk}/").content.decode()
    client.post(f"/access/{person.pk}/open/")
    assert is_in(entered(User.objects.get(pk=person.pk)))


def test_close_account__oneself_or_the_last_access_admin__refused(admin: User) -> None:
    with pytest.raises(InvalidError, match="his own"):
        close_account(actor=as_actor(admin), user_id=admin.pk, reason="Bye.")
    with pytest.raises(GoneError, match="last Access admin"):
        close_account(actor=SYSTEM, user_id=admin.pk, reason="Bye.")
    second = make_person("second", [])
    grant_role(actor=SYSTEM, user_id=second.pk, role="access_admin")

    close_account(actor=as_actor(second), user_id=admin.pk, reason="Bye.")
    open_account(actor=as_actor(second), user_id=admin.pk)
    assert User.objects.get(pk=admin.pk).is_active


def test_change_password__others_end__this_one_goes_on_under_a_new_key(viewer: User) -> None:
    give_password(viewer)
    here, there = entered(viewer), entered(viewer)
    key = here.session.session_key
    new = "another-horse-another-staple"

    wrong = here.post("/me/password/", {"old": "guessed-horse-battery", "new": new})
    weak = here.post("/me/password/", {"old": PASSWORD, "new": "short"})
    done = here.post("/me/password/", {"old": PASSWORD, "new": new})

    assert [wrong.status_code, weak.status_code, done.status_code] == [403, 422, 303]
    assert (is_in(here), is_in(there)) == (True, False)
    assert here.session.session_key != key
    assert UserSession.objects.get(ended_at=None).session_key == here.session.session_key
    viewer.refresh_from_db()
    assert viewer.check_password(new)


def test_profile__time_zone__shown_in_it_history_stays_in_utc(auditor_at_home: User) -> None:
    client = entered(auditor_at_home)
    client.post("/me/", {"display_name": "Noor", "time_zone": "Asia/Kolkata"})

    page, log = (client.get(path).content.decode() for path in ("/me/", "/audit/"))

    assert ' Asia/Kolkata" data-ago>' in page
    assert " UTC</time>" in log
    assert "Asia/Kolkata</time>" not in log
    again = client.post("/me/", {"display_name": "Noor", "time_zone": "Mars/Olympus"})
    assert again.status_code == 422
    assert "Mars/Olympus is not a time zone" in again.content.decode()


@pytest.fixture
def auditor_at_home(db: None) -> User:
    """Somebody who reads history."""
    return make_person("noor", ["auditor"])


def test_change_profile__nothing_else_can_be_changed_by_the_form(viewer: User) -> None:
    client = entered(viewer)

    client.post(
        "/me/",
        {"display_name": "V", "time_zone": "UTC", "is_superuser": "1", "username": "root", "is_staff": "1", "id": "1"},
    )

    viewer.refresh_from_db()
    assert (viewer.display_name, viewer.username, viewer.is_superuser, viewer.is_staff) == ("V", "viewer", False, False)
    change_profile(actor=as_actor(viewer), display_name="W", time_zone="UTC")


def test_grant__until_in_utc__whatever_the_zone_of_the_admin(admin: User) -> None:
    person = make_person("someone", [])
    User.objects.filter(pk=admin.pk).update(time_zone="Asia/Kolkata")
    client = entered(User.objects.get(pk=admin.pk))

    client.post(f"/access/{person.pk}/", {"role": "viewer", "expires_at": "2030-01-02T03:04"})

    assert Grant.objects.get(user=person).expires_at == dt.datetime(2030, 1, 2, 3, 4, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("agent", "says"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iOS"),
        ("curl/8.0", "an unknown browser"),
    ],
)
def test_browser__in_short_words(agent: str, says: str) -> None:
    assert browser_of(agent) == says
