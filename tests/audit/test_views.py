"""The audit list, one event, and the check of the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from zeal import zeal_ignore

from audit import services
from audit.models import EVENT_TABLE, EventIndex
from audit.selectors import get_event, last_check, list_events
from audit.services import record, record_log_read, verb
from audit.tasks import verify_log
from audit.types import SYSTEM, About, Actor, ChangeRef, Evidence, FieldDiff
from meshui.lib.errors import DeniedError
from tests.people import as_actor, make_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    with zeal_ignore([{"model": "sessions.Session", "field": "get()"}, {"model": "accounts.User", "field": "get()"}]):
        yield


@pytest.fixture
def auditor(client: Client) -> Client:
    """Signed in as somebody who may read the log."""
    client.force_login(make_person("auditor", ["auditor"]))
    return client


@verb("audit.log.verified")
def act(*, actor: Actor, name: str = "thing <b>1</b>", number: int = 7) -> None:
    """Something to look at."""
    target = About("thing", "1", name, change=ChangeRef("c", number=number))
    evidence = Evidence(diff=(FieldDiff("weight", "9000", "7500"),), before={"weight": 9000}, after={"weight": 7500})
    record("audit.log.check_requested", actor=actor, target=target, evidence=evidence, reason="Because.", fence=3)


def test_list__newest_first__escaped_filtered_and_recorded(auditor: Client) -> None:
    act(actor=SYSTEM)

    page = auditor.get("/audit/").content.decode()

    assert "thing &lt;b&gt;1&lt;/b&gt;" in page
    assert "MeshUI" in page
    assert page.index("LOG.CHECK_REQUEST.OK") < page.index("GRANT.CREATE.OK")
    read = list_events(action="audit.log.read").get()
    assert (read.actor_name, read.actor_kind) == ("auditor", "person")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("actor=MeshUI&action=audit.log.check_requested", 1),
        ("actor=nobody", 0),
        ("change=7", 1),
        ("change=8", 0),
        ("object=THING", 1),
        ("outcome=denied", 0),
        ("action=accounts.grant.created", 1),
        ("action=no.such.action", 0),
    ],
)
def test_list__filters__in_the_url(auditor: Client, query: str, count: int) -> None:
    act(actor=SYSTEM)

    response = auditor.get(f"/audit/?{query}")

    rows = response.context["rows"]
    if query != "action=no.such.action":
        assert len(rows) == count
    details = get_event(list_events(action="audit.log.read")[0].seq).details
    assert details["narrowed"] == dict(pair.split("=") for pair in query.split("&"))


def test_list__reads_of_the_log__hidden_until_asked_for(auditor: Client) -> None:
    auditor.get("/audit/")

    assert "LOG.READ.OK" not in auditor.get("/audit/").content.decode()
    assert "LOG.READ.OK" in auditor.get("/audit/?reads=1").content.decode()


def test_list__more_than_a_page__keyset_by_number(auditor: Client) -> None:
    for number in range(60):
        act(actor=SYSTEM, number=number + 1)

    first = auditor.get("/audit/?action=audit.log.check_requested").context["rows"]
    second = auditor.get(f"/audit/{first.next_query}").context["rows"]

    seqs = [row.seq for row in [*first, *second]]
    assert (len(first), len(second)) == (50, 10)
    assert seqs == sorted(seqs, reverse=True)
    assert second.next_query == ""


def test_list__htmx__the_table_alone(auditor: Client) -> None:
    response = auditor.get("/audit/", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    text = response.content.decode().strip()
    assert text.startswith('<div id="table">')
    assert "<html" not in text


def test_list__without_the_right__forbidden_and_not_recorded_as_read(client: Client) -> None:
    client.force_login(make_person("viewer"))

    assert client.get("/audit/").status_code == 403
    assert client.get("/audit/1/").status_code == 403
    assert client.post("/audit/verify/").status_code == 403
    assert [event.outcome for event in list_events(actor="viewer")] == ["denied"]


def test_list__auditor_of_a_part__refused(client: Client) -> None:
    user = make_person("auditor", ["auditor"], scope={"environment": ["staging"]})
    client.force_login(user)

    assert client.get("/audit/").status_code == 403
    assert client.get("/audit/1/").status_code == 404
    with pytest.raises(DeniedError):
        record_log_read(actor=as_actor(user), what="list")


def test_list__queries__constant(auditor: Client, django_assert_max_num_queries: Callable[[int], object]) -> None:
    for _ in range(5):
        act(actor=SYSTEM)
    auditor.post("/audit/verify/")

    with django_assert_max_num_queries(25):  # type: ignore[attr-defined]  # pytest-django's fixture
        auditor.get("/audit/")


def test_detail__event__who_what_before_and_after(auditor: Client) -> None:
    act(actor=SYSTEM)
    seq = list_events(action="audit.log.check_requested").get().seq

    page = auditor.get(f"/audit/{seq}/").content.decode()

    assert "As it was written" in page
    assert "Before and after" in page
    assert "Fence" in page
    assert "Because." in page
    assert get_event(list_events(action="audit.log.read")[0].seq).details == {"what": f"event {seq}"}
    assert auditor.get("/audit/999999/").status_code == 404


def test_verify__intact__says_up_to_which_event(auditor: Client) -> None:
    act(actor=SYSTEM)
    assert "not verified yet" in auditor.get("/audit/").content.decode()

    answer = auditor.post("/audit/verify/")

    checked = last_check()
    assert (answer.status_code, answer["Location"]) == (303, "/audit/")
    assert checked is not None
    assert (checked.is_intact, checked.by, checked.checked) == (True, "auditor", checked.seq - 1)
    assert f"Chain verified up to event {checked.checked}" in auditor.get("/audit/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_verify__long_log__by_the_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch, run_rung: Callable[[], int]
) -> None:
    client.force_login(make_person("auditor", ["auditor"]))
    monkeypatch.setattr(services, "CHECKED_AT_ONCE", 0)

    client.post("/audit/verify/")
    assert last_check() is None
    assert run_rung() == 1

    checked = last_check()
    assert checked is not None
    assert (checked.is_intact, checked.by) == (True, "MeshUI")


@pytest.mark.django_db(transaction=True)
def test_verify__altered__red_with_the_first_bad_event(client: Client) -> None:
    client.force_login(make_person("auditor", ["auditor"]))
    act(actor=SYSTEM)
    bad = list_events()[0].seq
    lift = "DROP TRIGGER audit_event_no_update"
    if connection.vendor == "postgresql":
        lift = "ALTER TABLE audit.event DISABLE TRIGGER no_change"
    with connection.cursor() as cursor:
        cursor.execute(lift)
        cursor.execute(f"UPDATE {EVENT_TABLE} SET body = body || ' ' WHERE seq = %s", [bad])  # noqa: S608 - our constant

    verify_log()

    page = client.get("/audit/").content.decode()
    assert f"The chain is broken at event {bad}" in page
    assert f"Events up to {bad - 1} are as they were written" in page
    assert "Not as it was written" in client.get(f"/audit/{bad}/").content.decode()
    assert EventIndex.objects.filter(action="audit.log.verified").get().outcome == "failure"
