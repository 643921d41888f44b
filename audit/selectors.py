"""Reading history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from audit.models import Blob, Event, EventIndex
from audit.types import GENESIS, link
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from audit.types import Actor
    from meshui.lib.jsontypes import JsonObject

__all__ = [
    "Bodies",
    "Checked",
    "EventIndex",
    "Fact",
    "StoredEvent",
    "actor_of",
    "bodies_of",
    "facts_of",
    "find_event",
    "get_blob",
    "get_event",
    "last_check",
    "linked",
    "list_events",
    "list_log",
]

READ = "audit.log.read"
VERIFIED = "audit.log.verified"
# What a list can be narrowed by: the word in the URL → the column.
FILTERS = {
    "action": "action",
    "outcome": "outcome",
    "actor": "actor_name",
    "actor_id": "actor_id",
    "object_kind": "object_kind",
    "object_id": "object_id",
    "object_name": "object_name",
    "change": "change_number",
    "change_id": "change_id",
    "cluster": "cluster_name",
    "cluster_id": "cluster_id",
}


def list_events(**wanted: str | int) -> QuerySet[EventIndex]:
    """Events, newest first, that equal every given word of FILTERS; an empty word does not narrow. One query.

    The caller has asked for the right: an auditor sees all, a page of a change passes its own change_id.
    """
    columns = {FILTERS[word]: value for word, value in wanted.items() if value != ""}
    return EventIndex.objects.filter(**columns).order_by("-seq")


def list_log(*, has_reads: bool) -> QuerySet[EventIndex]:
    """All events, or all but reads of the log itself, which would drown the rest; newest first. One query."""
    return list_events() if has_reads else list_events().exclude(action=READ)


def find_event(user: object, seq: int) -> EventIndex | None:
    """The event of that number if `user` may read it. Two queries."""
    return in_scope(list_events(), user, "audit.read").filter(seq=seq).first()


@dataclass(frozen=True, slots=True)
class Checked:
    """The last time the chain was verified, as the log itself says."""

    seq: int
    time: dt.datetime
    by: str
    is_intact: bool
    reason: str
    checked: int
    first_bad_seq: int


def last_check() -> Checked | None:
    """What the last verification found; None if there was none. Two queries."""
    row = EventIndex.objects.filter(action=VERIFIED).order_by("-seq").first()
    if row is None:
        return None
    details = get_event(row.seq).details
    return Checked(
        seq=row.seq,
        time=row.time,
        by=row.actor_name,
        is_intact=row.outcome == "success",
        reason=row.reason,
        checked=details.get("checked", 0),
        first_bad_seq=details.get("first_bad_seq", 0),
    )


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it stands in the chain."""

    seq: int
    hash: str
    text: str
    body: JsonObject
    is_linked: bool

    @property
    def indented(self) -> str:
        """The body for reading; what is proved is `text`."""
        return json.dumps(self.body, indent=2)

    @property
    def details(self) -> dict[str, Any]:
        """What the action added to the fixed fields."""
        return cast("dict[str, Any]", self.body.get("details", {}))


def get_event(seq: int) -> StoredEvent:
    """The stored event with number `seq`, and whether its text gives its hash. Raises MissingError. One query."""
    found = {event.seq: event for event in Event.objects.filter(seq__in=(seq - 1, seq))}
    event = found.get(seq)
    if event is None:
        raise MissingError(f"There is no event {seq}.", mend="Go back to the list of events.")
    before = bytes(found[seq - 1].hash) if seq - 1 in found else GENESIS
    is_linked = (seq == 1 or seq - 1 in found) and link(before, event.body) == bytes(event.hash)
    return StoredEvent(event.seq, bytes(event.hash).hex(), event.body, json.loads(event.body), is_linked)


def linked(seqs: Iterable[int]) -> dict[int, tuple[str, bool]]:
    """Of each of these events its hash, and whether its text and the link before it give that hash. One query."""
    wanted = set(seqs)
    found = {e.seq: e for e in Event.objects.filter(seq__in=wanted | {seq - 1 for seq in wanted})}
    answers = {}
    for seq in sorted(wanted & found.keys()):
        before = bytes(found[seq - 1].hash) if seq - 1 in found else GENESIS
        own = bytes(found[seq].hash)
        answers[seq] = own.hex(), (seq == 1 or seq - 1 in found) and link(before, found[seq].body) == own
    return answers


def get_blob(sha256: str) -> JsonObject:
    """A body that an event refers to by its hash. Raises MissingError. One query."""
    blob = Blob.objects.filter(sha256=sha256).first()
    if blob is None:
        raise MissingError("This body is not kept here.")
    return cast("JsonObject", json.loads(blob.content))


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of an event, for people."""

    label: str
    value: str


def facts_of(event: StoredEvent) -> list[Fact]:
    """The fields of an event that its page shows as lines: who, from where, how, and the details of the action."""
    body = cast("dict[str, Any]", event.body)
    actor, auth, source = body["actor"], body.get("auth", {}), body.get("source", {})
    known = [
        (gettext("Actor"), f"{actor['name']} ({actor['type']})"),
        (gettext("Roles then"), ", ".join(actor.get("roles", []))),
        (gettext("On behalf of"), body.get("on_behalf_of", "")),
        (gettext("Signed in by"), ", ".join(auth.get("methods", []))),
        (
            gettext("Address"),
            source.get("ip", "") + ("" if source.get("proxy_chain_ok", True) else " " + gettext("(of the last proxy)")),
        ),
        (gettext("Browser"), source.get("ua", "")),
        (gettext("Request"), body.get("request_id", "")),
        (gettext("Origin"), body["origin"]),
        (gettext("Version of MeshUI"), body["app_version"]),
    ]
    details = [(name.replace("_", " ").capitalize(), _plain(value)) for name, value in event.details.items()]
    return [Fact(label, value) for label, value in [*known, *details] if value]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Bodies:
    """What was there before and after, as far as the event keeps it."""

    before: JsonObject | None
    after: JsonObject | None


def bodies_of(event: StoredEvent) -> Bodies | None:
    """The kept bodies of an event; None if it has none. At most two queries."""
    before, after = event.body.get("before_ref"), event.body.get("after_ref")
    if not before and not after:
        return None
    return Bodies(get_blob(str(before)) if before else None, get_blob(str(after)) if after else None)


def actor_of(request: HttpRequest) -> Actor:
    """Who sent `request`, asked of the function that settings.ACTOR_OF names: accounts lies above audit."""
    return cast("Actor", import_string(settings.ACTOR_OF)(request))
