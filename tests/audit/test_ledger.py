"""The chain: what the database refuses, what a walk along it names."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from audit import ledger
from audit.models import EVENT_TABLE, HEAD_TABLE, Event, EventIndex, Head
from audit.services import record, verb
from audit.types import GENESIS, SYSTEM, Actor, link
from meshui.lib.errors import GoneError
from tests.audit.ledger_fixture import make_ledger_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db
IS_SQLITE = connection.vendor == "sqlite"
SQLITE_ONLY = pytest.mark.skipif(not IS_SQLITE, reason="SQLite says it so")
POSTGRESQL_ONLY = pytest.mark.skipif(IS_SQLITE, reason="PostgreSQL says it so")


@verb("audit.log.read")
def note(*, actor: Actor, count: int = 1) -> None:
    for number in range(count):
        record("audit.log.read", actor=actor, number=number)


def text_of(seq: int) -> str:
    return json.dumps({"seq": seq})


def named(sql: str) -> str:
    """`sql` with the names that the tables have on this database."""
    return sql.replace("@event", EVENT_TABLE).replace("@head", HEAD_TABLE)


def run(sql: str, *params: str | bytes | int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(named(sql), params or None)


BOTH = [
    "UPDATE @event SET body = '{}'",
    "UPDATE @event SET seq = seq + 10",
    "DELETE FROM @event",
    "INSERT INTO @event (seq, hash, body) SELECT 7, hash, body FROM @event WHERE seq = 1",
    "INSERT INTO @event (seq, hash, body) SELECT 1, hash, 'x' FROM @event WHERE seq = 2"
    " ON CONFLICT (seq) DO UPDATE SET body = 'x'",
    "INSERT INTO @event (seq, hash, body) SELECT 1, hash, 'x' FROM @event WHERE seq = 2 ON CONFLICT DO NOTHING",
    "UPDATE @head SET seq = 1",
    "UPDATE @head SET seq = seq + 1",
    "DELETE FROM @head",
]


@pytest.mark.parametrize("sql", BOTH)
def test_ledger__rewriting__refused_by_the_database(sql: str) -> None:
    note(actor=SYSTEM, count=3)

    with pytest.raises(DatabaseError, match="audit"):
        run(sql)

    assert ledger.verify_chain().is_intact


@SQLITE_ONLY
@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR REPLACE INTO audit_event (seq, hash, body) VALUES (1, x'00', 'x')",
        "REPLACE INTO audit_event (seq, hash, body) SELECT 4, hash, 'x' FROM audit_event WHERE seq = 1",
        "INSERT OR IGNORE INTO audit_event (seq, hash, body) VALUES (9, x'00', 'x')",
        "INSERT INTO audit_head (one, seq, hash) VALUES (2, 0, x'00')",
        "REPLACE INTO audit_head (one, seq, hash) VALUES (1, 0, x'00')",
    ],
)
def test_ledger__replace_on_sqlite__refused(sql: str) -> None:
    note(actor=SYSTEM, count=3)

    with pytest.raises(DatabaseError, match="audit"):
        run(sql)

    assert ledger.verify_chain().is_intact


@POSTGRESQL_ONLY
@pytest.mark.parametrize(
    "sql",
    [
        "TRUNCATE audit.event",
        "TRUNCATE audit.head",
        "INSERT INTO audit.event SELECT seq + 1, sha256('x'), 'x' FROM audit.head",
        "INSERT INTO audit.head VALUES (true, 0, sha256('x')) ON CONFLICT (one) DO UPDATE SET seq = 0",
        "SELECT audit.append('{\"seq\": 9}')",
        "SET LOCAL session_replication_role = replica; DELETE FROM audit.event",
        "SET LOCAL session_replication_role = replica; TRUNCATE audit.event",
        "SET LOCAL session_replication_role = replica; UPDATE audit.head SET seq = 0",
    ],
)
def test_ledger__owner_on_postgresql__refused(sql: str) -> None:
    note(actor=SYSTEM, count=3)

    with pytest.raises(DatabaseError, match="audit"):
        run(sql)

    assert ledger.verify_chain().is_intact


def test_ledger__append_by_hand__only_the_right_next_event() -> None:
    note(actor=SYSTEM)
    body = text_of(2)
    right = link(bytes(Head.objects.get().hash), body)

    run("INSERT INTO @event (seq, hash, body) VALUES (%s, %s, %s)", 2, right, body)
    note(actor=SYSTEM)

    report = ledger.verify_chain()
    assert (report.is_intact, report.last_seq) == (True, 3)


def test_verify_chain__empty__intact_from_genesis() -> None:
    report = ledger.verify_chain()

    assert (report.is_intact, report.checked, report.head_hash) == (True, 0, GENESIS.hex())


class Tampering:
    """A database administrator who lifts the triggers."""

    def __init__(self) -> None:
        names = [
            "audit_event_no_update",
            "audit_event_no_delete",
            "audit_event_next",
            "audit_event_head",
            "audit_head_step",
        ]
        self._off = [f"DROP TRIGGER {name}" for name in names]
        if not IS_SQLITE:
            self._off = [f"ALTER TABLE audit.{name} DISABLE TRIGGER USER" for name in ("event", "head")]

    def run(self, *statements: str) -> None:
        for statement in [*self._off, *statements]:
            with connection.cursor() as cursor:
                cursor.execute(named(statement))


@pytest.fixture
def tampering(transactional_db: None) -> Iterator[Tampering]:
    """The ledger is made anew afterwards, triggers and all."""
    note(actor=SYSTEM, count=6)
    yield Tampering()
    make_ledger_anew()


FORGED = "UPDATE @event SET body = replace(body, 'success', 'denied') WHERE seq = 4"
CASES = {
    "altered": ([FORGED], 4),
    "deleted": (["DELETE FROM @event WHERE seq = 3"], 3),
    "first gone": (["DELETE FROM @event WHERE seq = 1"], 1),
    "reordered": (
        [
            "UPDATE @event SET seq = 99 WHERE seq = 2",
            "UPDATE @event SET seq = 2 WHERE seq = 3",
            "UPDATE @event SET seq = 3 WHERE seq = 99",
        ],
        2,
    ),
    "numbers skipped": (["UPDATE @event SET seq = 8 WHERE seq = 6"], 6),
    "tail cut": (["DELETE FROM @event WHERE seq > 4"], 5),
    "tail cut and head set back": (
        ["DELETE FROM @event WHERE seq > 4", "UPDATE @head SET seq = 4"],
        5,
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("statements", "first_bad"), CASES.values(), ids=CASES.keys())
def test_verify_chain__tampered__first_bad_named(tampering: Tampering, statements: list[str], first_bad: int) -> None:
    assert ledger.verify_chain().is_intact

    tampering.run(*statements)

    report = ledger.verify_chain()
    assert (report.is_intact, report.first_bad_seq) == (False, first_bad)
    assert report.reason
    with pytest.raises(CommandError, match="not intact"):
        call_command("verify_audit")


@pytest.mark.django_db(transaction=True)
def test_verify_audit__intact__says_how_many() -> None:
    note(actor=SYSTEM, count=3)
    out = StringIO()

    call_command("verify_audit", stdout=out)

    assert out.getvalue().startswith("3 events are as written.")


@pytest.mark.django_db(transaction=True)
def test_append__many_writers__gap_free_and_in_order_of_time() -> None:
    barrier = threading.Barrier(4, timeout=30)

    def write(_worker: int) -> None:
        barrier.wait()
        try:
            for _ in range(10):
                note(actor=SYSTEM, count=2)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))

    report = ledger.verify_chain()
    assert (report.is_intact, report.last_seq) == (True, 80)
    times = [json.loads(body)["time"] for body in Event.objects.order_by("seq").values_list("body", flat=True)]
    assert times == sorted(times)
    assert EventIndex.objects.count() == 80


@pytest.mark.django_db(transaction=True)
def test_verb__really_commits__refusal_leaves_only_its_event() -> None:
    @verb("audit.log.read")
    def act(*, actor: Actor) -> None:
        record("audit.log.read", actor=actor)
        raise GoneError("Too late.")

    with pytest.raises(GoneError):
        act(actor=SYSTEM)

    assert EventIndex.objects.get().outcome == "denied"
    assert Head.objects.get().seq == 1
