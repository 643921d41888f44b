"""Reading history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from audit.models import Blob, Event, EventIndex
from meshui.lib.errors import MissingError

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from meshui.lib.jsontypes import JsonObject

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


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it stands in the chain."""

    seq: int
    hash: str
    text: str
    body: JsonObject

    @property
    def details(self) -> dict[str, Any]:
        """What the action added to the fixed fields."""
        return cast("dict[str, Any]", self.body.get("details", {}))


def get_event(seq: int) -> StoredEvent:
    """The stored event with number `seq`. Raises MissingError. One query."""
    event = Event.objects.filter(seq=seq).first()
    if event is None:
        raise MissingError(f"There is no event {seq}.", mend="Go back to the list of events.")
    return StoredEvent(event.seq, bytes(event.hash).hex(), event.body, json.loads(event.body))


def get_blob(sha256: str) -> JsonObject:
    """A body that an event refers to by its hash. Raises MissingError. One query."""
    blob = Blob.objects.filter(sha256=sha256).first()
    if blob is None:
        raise MissingError("This body is not kept here.")
    return cast("JsonObject", json.loads(blob.content))
