"""The chain: writes events as the last statements of a transaction; walks along to see whether all is as written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import CharField

from audit.models import Blob, Event, EventIndex, Head
from audit.types import GENESIS, ChainReport, code_of, link
from meshui.lib.canonical import canonical
from meshui.lib.clock import read_db_now, to_text
from meshui.lib.ids import new_id
from meshui.lib.logs import masked

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from audit.types import About, Actor, Draft, Evidence, TargetRef
    from meshui.lib.jsontypes import JsonObject

CHUNK: Final = 2000
FIELDS: Final = EventIndex._meta.get_fields()  # noqa: SLF001 - Django's public way to the fields
WIDTHS: Final = {field.name: field.max_length for field in FIELDS if isinstance(field, CharField)}


def append(drafts: Sequence[Draft]) -> list[int]:
    """Write `drafts` in order; their numbers in the chain. Call last in a transaction: it locks the head.

    The time is the database's, read under the lock, so that time and number grow together.
    """
    if not drafts:
        return []
    seq, head = _reserve()
    moment = read_db_now()
    rows = []
    for draft in drafts:
        seq += 1
        body = compose(draft, seq, moment)
        head = _write(seq, head, canonical(body).decode())
        rows.append(_index_row(draft, body, seq, moment))
    EventIndex.objects.bulk_create(rows)
    return [row.seq for row in rows]


def _reserve() -> tuple[int, bytes]:
    """Lock the head; where the chain ends. (On SQLite BEGIN IMMEDIATE is the lock.)"""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT next_seq - 1 FROM audit.reserve()")
            return int(cursor.fetchone()[0]), b""  # append() itself knows the hash before
        cursor.execute("SELECT seq, hash FROM audit_head")
        seq, head = cursor.fetchone()
        return int(seq), bytes(head)


def _write(seq: int, previous: bytes, body: str) -> bytes:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT audit.append(%s)", [body])
            return b""
        digest = link(previous, body)
        cursor.execute("INSERT INTO audit_event (seq, hash, body) VALUES (%s, %s, %s)", [seq, digest, body])
        return digest


def compose(draft: Draft, seq: int, moment: dt.datetime) -> JsonObject:
    """The body of an event: every final field that applies; what does not apply is absent."""
    about, actor = draft.about, draft.actor
    fields: dict[str, Any] = {
        "v": 1,
        "id": str(new_id()),
        "seq": seq,
        "time": to_text(moment),
        "code": code_of(draft.action, draft.outcome),
        "action": draft.action,
        "outcome": draft.outcome,
        "origin": actor.origin,
        "confidence": "confirmed",
        "app_version": settings.VERSION,
        "actor": _actor(actor),
        "on_behalf_of": actor.on_behalf_of,
        "auth": _auth(actor),
        "source": _source(actor),
        "request_id": actor.request_id,
        "reason": draft.reason,
        "details": draft.details,
    }
    return _kept({**fields, **_object(about), **_evidence(draft.evidence)})


def _actor(actor: Actor) -> dict[str, Any]:
    return _kept(
        {
            "type": actor.kind,
            "id": actor.user_id,
            "name": actor.name,
            "idp_sub": actor.idp_sub,
            "roles": sorted(actor.roles),
        }
    )


def _auth(actor: Actor) -> dict[str, Any]:
    auth = actor.auth
    return _kept(
        {
            "methods": list(auth.methods),
            "session_hash": auth.session_hash,
            "token_key": auth.token_key,
            "step_up_age": auth.step_up_age_s,
        }
    )


def _source(actor: Actor) -> dict[str, Any]:
    if not actor.source.ip:
        return {}
    source = actor.source
    return _kept({"ip": source.ip, "ua": source.user_agent, "proxy_chain_ok": source.proxy_chain_ok})


def _object(about: About | None) -> dict[str, Any]:
    if about is None:
        return {}
    change = about.change
    return {
        "object": _kept({"kind": about.kind, "id": about.id, "name": about.name}),
        "change": {}
        if change is None
        else _kept(
            {
                "id": change.id,
                "number": change.number,
                "rev": change.revision,
                "plan_digest": change.plan_digest,
                "step": change.step,
                "fence": change.fence,
            }
        ),
        "targets": [_target(target) for target in about.targets],
    }


def _target(target: TargetRef) -> dict[str, Any]:
    names = (
        *("env", "mesh", "cluster_id", "cluster", "cluster_uid", "gvk", "ns", "name", "uid"),
        *("gen_before", "gen_after", "rv_before", "rv_after"),
    )
    return _kept({name: getattr(target, name) for name in names})


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "diff": [_kept({"path": d.path, "from": d.before, "to": d.after}) for d in evidence.diff],
        "before_ref": _blob(evidence.before),
        "after_ref": _blob(evidence.after),
        "policy": {"version": evidence.policy} if evidence.policy else {},
    }


def _blob(content: JsonObject | None) -> str:
    """Keep `content` under its hash; the hash. What looks like a secret is masked before."""
    if content is None:
        return ""
    text = canonical(_clean(content)).decode()
    digest = hashlib.sha256(text.encode()).hexdigest()
    Blob.objects.bulk_create([Blob(sha256=digest, content=text)], ignore_conflicts=True)
    return digest


def _kept(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` without those that do not apply (absent instead of empty), secrets masked."""
    return {
        name: _clean(value) for name, value in fields.items() if value is False or value not in (None, "", [], {}, 0)
    }


def _clean(value: object) -> Any:
    """`value` without nulls, and masked where it looks like a secret: the second net, callers are the first."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _index_row(draft: Draft, body: JsonObject, seq: int, moment: dt.datetime) -> EventIndex:
    about = draft.about
    change = about.change if about else None
    target = about.targets[0] if about and about.targets else None
    values = {
        "code": body["code"],
        "action": draft.action,
        "outcome": draft.outcome,
        "origin": draft.actor.origin,
        "reason": masked(draft.reason),
        "actor_kind": draft.actor.kind,
        "actor_id": draft.actor.user_id,
        "actor_name": draft.actor.name,
        "on_behalf_of": draft.actor.on_behalf_of,
        "object_kind": about.kind if about else "",
        "object_id": about.id if about else "",
        "object_name": masked(about.name) if about else "",
        "change_id": change.id if change else "",
        "cluster_id": target.cluster_id if target else "",
        "cluster_name": target.cluster if target else "",
    }
    number = (change.number or None) if change else None
    row = EventIndex(seq=seq, event_id=str(body["id"]), time=moment, change_number=number)
    for name, value in values.items():
        setattr(row, name, str(value)[: WIDTHS.get(name)])
    return row


def count_events() -> int:
    """How many events the head says there are."""
    return _head()[0]


def verify_chain() -> ChainReport:
    """Walk along every stored event. Reports the first that is missing, altered or out of order. Reads only.

    Others may append meanwhile: the walk must reach the head as it was before and not pass the head as it is after.
    """
    before_seq, before_hash = _head()
    hash_there = GENESIS
    previous, seq = GENESIS, 0
    for event in Event.objects.order_by("seq").iterator(chunk_size=CHUNK):
        seq += 1
        fault = _fault(event, seq, previous)
        if fault:
            return ChainReport(seq - 1, event.seq, previous.hex(), first_bad_seq=seq, reason=fault)
        previous = bytes(event.hash)
        if seq == before_seq:
            hash_there = previous
    after_seq, _ = _head()
    if hash_there != before_hash or not before_seq <= seq <= after_seq:
        reason = f"The head says {before_seq} events, {seq} are stored: the end was cut off or rewritten."
        return ChainReport(seq, seq, previous.hex(), first_bad_seq=min(before_seq, seq) + 1, reason=reason)
    return ChainReport(checked=seq, last_seq=seq, head_hash=previous.hex())


def _head() -> tuple[int, bytes]:
    seq, digest = Head.objects.values_list("seq", "hash")[0]
    return seq, bytes(digest)


def _fault(event: Event, seq: int, previous: bytes) -> str:
    if event.seq != seq:
        return f"Event {seq} is missing: the next one stored is {event.seq}."
    if link(previous, event.body) != bytes(event.hash):
        return f"Event {seq} is not what was written: its text does not give its hash."
    return ""
