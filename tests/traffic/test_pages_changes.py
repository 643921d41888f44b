"""The list of change requests and the page of one: what each person sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from tests.people import as_actor
from tests.traffic.factories import (
    DIGEST,
    checkout_route,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_plan,
    make_route,
    many_changes,
)
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def text_of(response: object) -> str:
    """The page as text."""
    return response.content.decode()  # type: ignore[attr-defined, no-any-return]  # Django gives more than its type says


def test_change_list__viewer__sees_what_waits(client: Client, author: User, viewer: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(viewer)

    page = client.get("/changes/")

    assert page.status_code == 200
    text = text_of(page)
    assert f"#{change.number}" in text
    assert "Waiting for approval" in text
    assert "0 of 1" in text


def test_change_list__htmx__gets_the_table_and_its_url(client: Client, author: User) -> None:
    in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    part = client.get("/changes/?state=open&q=", headers=HTMX)

    assert text_of(part).strip().startswith('<div id="table"')
    assert part["HX-Push-Url"] == "/changes/?state=open"
    assert "HX-Request-Type" in part["Vary"]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("state=open", True),
        ("state=ended", False),
        ("state=in_review", True),
        ("state=draft", False),
        ("q=heck", True),
        ("q=CHECKOUT", True),
        ("q=payments", False),
        ("mine=1", True),
        ("q=%231", True),
        ("state=nonsense", True),
        ("author=AUTH", True),
        ("author=maria", False),
        ("service=check", True),
        ("service=payments", False),
        ("cluster=eu-w", True),
        ("cluster=us-east", False),
        ("env=staging", True),
        ("env=production", False),
        ("env=staging&cluster=eu-west&state=open", True),
    ],
)
def test_change_list__filters__narrow(client: Client, author: User, query: str, *, is_found: bool) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    text = text_of(client.get(f"/changes/?{query.replace('%231', f'%23{change.number}')}"))

    assert (change.title in text) is is_found


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.DRAFT, "Author, to ask for approval"),
        (State.IN_REVIEW, "2 approvers who did not write it"),
        (State.APPROVED, "an executor, to start it"),
        (State.PAUSED, "an executor, to resume it or roll it back"),
        (State.QUEUED, "its targets, to be free"),
    ],
)
def test_change_list__each_state__says_who_waits_for_whom(
    client: Client, author: User, viewer: User, state: State, words: str
) -> None:
    in_state(in_review(author, [make_route(make_cluster())], needed=2), state)
    client.force_login(viewer)

    assert words in text_of(client.get("/changes/"))


def test_change_list__other_scope__neither_rows_nor_counts(
    client: Client, author: User, person: Callable[..., User]
) -> None:
    in_review(author, [make_route(make_cluster())])
    client.force_login(person("maria", ["viewer"], scope={"environment": ["production"]}))

    text = text_of(client.get("/changes/"))

    assert "Shift checkout" not in text
    assert "No change request yet" in text


def test_change_list__two_and_fifty_rows__same_queries(client: Client, author: User) -> None:
    route = make_route(make_cluster())
    client.force_login(author)
    many_changes(author, route, 2)
    client.get("/changes/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/changes/")
    many_changes(author, route, 48)

    with CaptureQueriesContext(connection) as many:
        page = client.get("/changes/")

    assert text_of(page).count("<tr>") == 51
    assert len(few) == len(many) <= 12


def test_change__in_review__author_sees_why_they_cannot_approve(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "You wrote this change: someone else has to decide on it." in text
    assert "Wrote this change: cannot decide on it" in text


def test_change__viewer__sees_all_and_no_verb(client: Client, author: User, viewer: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(viewer)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "75\u202f%" in text
    assert "1 needed" in text
    assert 'id="diff"' in text
    main = text[text.index("<main") : text.index("</main>")]
    forms = re.findall(r'<form[^>]*action="([^"]+)"', main, re.DOTALL)
    assert [re.sub(r"[0-9a-f]{12}", "…", form) for form in forms] == [
        f"/changes/{change.number}/diff/…/viewed/?diff=unified"
    ]
    assert "btn ok" not in main


def test_change__approver__has_version_and_digest_in_the_form(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(approver)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert f'name="version" value="{change.version}"' in text
    assert f'name="digest" value="{DIGEST}"' in text
    assert "<code>9f31c2e</code>" in text


@pytest.mark.parametrize("part", ["checks", "decision", "targets", "timeline"])
def test_change_fragment__htmx_gets_the_part_others_the_page(client: Client, author: User, part: str) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    fragment = text_of(client.get(f"/changes/{change.number}/{part}/", headers=HTMX))
    page = text_of(client.get(f"/changes/{change.number}/{part}/"))

    assert f'id="{part}"' in fragment
    assert "<html" not in fragment
    assert "<html" in page


def test_change__out_of_scope__the_same_404_as_missing(
    client: Client, author: User, person: Callable[..., User]
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(person("maria", ["viewer"], scope={"environment": ["production"]}))

    there, missing = client.get(f"/changes/{change.number}/"), client.get("/changes/99999/")

    assert there.status_code == missing.status_code == 404
    assert "Shift checkout" not in text_of(there)
    assert _without_id(text_of(there)) == _without_id(text_of(missing))


def test_change__absurd_number__404(client: Client, author: User) -> None:
    client.force_login(author)

    assert client.get(f"/changes/{'9' * 40}/").status_code == 404


def test_change__one_target_out_of_scope__404(client: Client, author: User, person: Callable[..., User]) -> None:
    routes = [make_route(make_cluster()), make_route(make_cluster("us-east", environment="production"))]
    change = in_review(author, routes)
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))

    assert client.get(f"/changes/{change.number}/").status_code == 404


def test_change__stranger__403_names_the_right(client: Client, author: User, stranger: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(stranger)

    page = client.get(f"/changes/{change.number}/")

    assert page.status_code == 403
    assert "inventory.read" in text_of(page)


def test_change__script_and_bidi_in_names__inert_and_visible(client: Client, author: User) -> None:
    evil = "<script>alert(1)</script>\u202e"
    route = make_route(make_cluster(), checkout_route(rule="<script>alert(2)</script>"))
    change = in_review(
        author, [route], title=evil, reason=evil, desired=checkout_route(7500, 2500, rule="<script>alert(2)</script>")
    )
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "\u27e8U+202E\u27e9" in text


def test_change__dry_run_refused__the_servers_own_words(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    make_plan(change, is_sound=False, error='admission webhook "validation.istio.io" denied: bad weight')
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "refused the dry run" in text
    assert "denied: bad weight" in text
    assert "The plan has errors: mend what is named below, then plan again." in text


def test_change__finding__shown_with_severity_and_place(client: Client, author: User) -> None:
    finding = {"id": "TRF012", "severity": "warn", "where": "rules[primary]", "message": "v2 is new.", "targets": []}
    change = in_review(author, [make_route(make_cluster())], findings=[finding])
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "v2 is new." in text
    assert "passed, 1 warning" in text


@pytest.mark.parametrize("mode", ["unified", "split", "neutral", "nonsense"])
def test_change__each_mode__draws_the_weights(client: Client, author: User, mode: str) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/?diff={mode}&target=eu-west/shop/checkout"))

    assert "What will be written" in text
    assert "75" in text


@pytest.mark.parametrize("state", list(State))
def test_change__every_state__has_a_page(client: Client, author: User, state: State) -> None:
    change = make_change(author, [make_route(make_cluster())])
    make_plan(change)
    change = in_state(change, state, state_cause="because")
    client.force_login(author)

    page = client.get(f"/changes/{change.number}/")

    assert page.status_code == 200
    is_moving = state in {State.PLANNING, State.QUEUED, State.APPLYING, State.ROLLING_BACK}
    assert f'data-topic="change-{change.number}"' in text_of(page)
    assert ('data-topic-every="every 1s"' in text_of(page)) is is_moving


def test_change_live__nothing_moved__204_else_the_body(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    in_state(change, State.PLANNING)
    client.force_login(author)
    page = client.get(f"/changes/{change.number}/")
    url = page.context["live_url"]

    with CaptureQueriesContext(connection) as polled:
        still = client.get(url, headers=HTMX)
    make_plan(change)
    in_state(change, State.DRAFT)
    moved = client.get(url, headers=HTMX)

    assert still.status_code == 204
    assert len(polled) <= 6
    assert moved.status_code == 200
    assert 'id="change"' in text_of(moved)
    assert "every 1s" not in text_of(moved)


def test_change__other_open_change_on_the_route__named(client: Client, author: User) -> None:
    route = make_route(make_cluster())
    other = make_change(author, [route], title="Another one")
    change = in_review(author, [route])
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "Also open on this route" in text
    assert f"#{other.number} Another one" in text


def test_change__planned_again_after_drift__three_ways(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    make_plan(change, base_hash="then")
    make_plan(change, base_hash="now", live=checkout_route(6000, 4000), digest="b" * 64)
    change = in_state(change, State.IN_REVIEW, state_cause="checkout was changed in eu-west since the plan was made.")
    client.force_login(author)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "Somebody else changed eu-west" in text
    assert "60\u202f%" in text
    assert "90\u202f%" in text
    assert "It was planned again: every earlier approval is void" in text


def test_change__votes__listed_with_what_counts(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())], needed=2)
    approve_change(
        actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST, comment="Watch <b>it</b>"
    )
    client.force_login(approver)

    text = text_of(client.get(f"/changes/{change.number}/"))

    assert "2 needed, by different people, not by who wrote it" in text
    assert "Watch &lt;b&gt;it&lt;/b&gt;" in text
    assert "1 of 2" in text
    assert "Take back my approval" in text


def test_change__two_and_twenty_targets__same_queries(client: Client, author: User) -> None:
    routes = [make_route(make_cluster(f"c-{number}")) for number in range(20)]
    few_targets, many_targets = in_review(author, routes[:2]), in_review(author, routes)
    client.force_login(author)
    client.get(f"/changes/{few_targets.number}/")

    with CaptureQueriesContext(connection) as few:
        client.get(f"/changes/{few_targets.number}/")
    with CaptureQueriesContext(connection) as many:
        client.get(f"/changes/{many_targets.number}/")

    assert len(few) == len(many) <= 20


def _without_id(text: str) -> str:
    """What the page says, without the id of the request."""
    return re.sub(r"<code>[^<]*</code>", "", text[text.index("<main") : text.index("</main>")])
