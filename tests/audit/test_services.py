"""`@verb` and `record`: one act, one transaction, its events last."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError

from accounts.models import User
from audit import ledger
from audit.models import Blob, Event
from audit.selectors import get_event, list_events
from audit.services import LedgerUnavailableError, VerbError, about, record, verb
from audit.types import SYSTEM, About, ChangeRef, Evidence, FieldDiff, TargetRef, UnknownActionError
from meshui.lib.canonical import NotCanonicalError, canonical
from meshui.lib.errors import DeniedError

pytestmark = pytest.mark.django_db
THING = About("thing", "7", "the thing", change=ChangeRef("c-1", number=12), targets=(TargetRef("k-1", "east"),))


@verb("audit.log.read")
def make_user(*, actor: object, name: str, refuse: bool = False, nest: bool = False) -> User:
    about(THING)
    user = User.objects.create(username=name, display_name=name)
    record("audit.log.read", actor=SYSTEM, name=name, absent=None)
    record("audit.log.verified", actor=SYSTEM, target=THING, outcome="failure", reason="why")
    if nest:
        make_user(actor=actor, name="inner")
    if refuse:
        raise DeniedError("Not you.", mend="Ask somebody else.")
    return user


def test_verb__works__row_and_events_in_order() -> None:
    make_user(actor=SYSTEM, name="ann")

    assert User.objects.filter(username="ann").exists()
    second, first = list_events()
    assert (first.code, second.code) == ("LOG.READ.OK", "LOG.VERIFY.FAIL")
    assert (second.seq - first.seq, second.object_name, second.change_number, second.cluster_name) == (
        *(1, "the thing", 12, "east"),
    )
    assert ledger.verify_chain().is_intact


def test_verb__refused__rolled_back_and_recorded_as_denied() -> None:
    with pytest.raises(DeniedError):
        make_user(actor=SYSTEM, name="ann", refuse=True)

    assert not User.objects.filter(username="ann").exists()
    event = list_events().get()
    assert (event.action, event.outcome, event.object_name) == ("audit.log.read", "denied", "the thing")
    assert event.reason == "Not you. Ask somebody else."
    assert get_event(event.seq).body["details"] == {"error": "DeniedError"}


def test_verb__inside_a_verb__refused_as_a_slip() -> None:
    with pytest.raises(VerbError, match="inside another verb"):
        make_user(actor=SYSTEM, name="ann", nest=True)

    assert not User.objects.exists()
    assert not list_events().exists()


def test_verb__positional_parameters__refused_when_declared() -> None:
    def loose(actor: object) -> None: ...

    with pytest.raises(VerbError, match="keywords only"):
        verb("audit.log.read")(loose)


def test_verb__ledger_fails__nothing_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_drafts: object) -> list[int]:
        raise OperationalError("disk full")

    monkeypatch.setattr(ledger, "append", broken)

    with pytest.raises(LedgerUnavailableError) as caught:
        make_user(actor=SYSTEM, name="ann")

    assert caught.value.status == 503
    assert not User.objects.exists()
    assert not list_events().exists()


def test_verb__refusal_cannot_be_recorded__answers_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_drafts: object) -> list[int]:
        raise OperationalError("disk full")

    monkeypatch.setattr(ledger, "append", broken)

    with pytest.raises(LedgerUnavailableError):
        make_user(actor=SYSTEM, name="ann", refuse=True)


def test_record__outside_a_verb__refused() -> None:
    with pytest.raises(VerbError, match="Only a verb records"):
        record("audit.log.read", actor=SYSTEM)
    with pytest.raises(VerbError, match="Only a verb records"):
        about(THING)


@pytest.mark.parametrize(
    ("action", "detail", "error"),
    [("no.such.action", 1, UnknownActionError), ("audit.log.read", 1.5, NotCanonicalError)],
)
def test_record__bad_action_or_detail__raises(action: str, detail: object, error: type[Exception]) -> None:
    @verb("audit.log.read")
    def act(*, actor: object) -> None:
        record(action, actor=SYSTEM, detail=detail)

    with pytest.raises(error):
        act(actor=SYSTEM)
    assert not list_events().exists()


def test_event__body__has_the_final_fields_and_is_canonical() -> None:
    make_user(actor=SYSTEM, name="ann")

    stored = Event.objects.latest("seq")
    body = json.loads(stored.body)
    assert canonical(body).decode() == stored.body
    assert body["seq"] == stored.seq
    assert body["change"] == {"id": "c-1", "number": 12}
    assert body["targets"] == [{"cluster_id": "k-1", "cluster": "east"}]
    assert body["actor"] == {"type": "system", "name": "MeshUI"}
    assert body["object"] == {"kind": "thing", "id": "7", "name": "the thing"}
    assert {"v", "id", "time", "code", "action", "outcome", "origin", "confidence", "app_version"} <= set(body)
    assert "on_behalf_of" not in body


def test_event__secrets_in_evidence__masked() -> None:
    token = "Bearer " + "s3cr3tcanary" * 2

    @verb("audit.log.read")
    def act(*, actor: object) -> None:
        evidence = Evidence(diff=(FieldDiff("a", token, "b"),), before={"header": token}, policy="p1")
        record("audit.log.read", actor=SYSTEM, reason=token, evidence=evidence, header=[token])

    act(actor=SYSTEM)

    stored = Event.objects.latest("seq")
    body = json.loads(stored.body)
    assert "s3cr3tcanary" not in stored.body + list_events()[0].reason
    assert Blob.objects.get(sha256=body["before_ref"]).content == '{"header":"•••"}'
    assert body["policy"] == {"version": "p1"}
