"""What watches tell, put into the stock and the rows of one cluster. No thread, no clock: events in, rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.services.fetching import Moved, put

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.clients import Resource, Slim, WatchEvent
    from meshes.services.reading import Reading


def apply(reading: Reading, heard: Iterable[tuple[Resource, WatchEvent]]) -> None:
    """Know these events, and write once all that follows. Doubled and late ones change nothing.

    Raises LostLeaseError; BadAnswerError where the cluster sends more than may be kept.
    """
    moves: dict[Resource, Moved] = {}
    fresh: dict[Resource, dict[str, Slim]] = {}
    for resource, event in heard:
        kind, item = reading.stock.kinds[resource], event.item
        if item is not None and not kind.is_late(item.head):
            moved, rows = moves.setdefault(resource, Moved()), fresh.setdefault(resource, {})
            if event.type != "DELETED":
                found = put(kind, item, moved)
                if found is not None:
                    rows[item.head.uid] = found
            elif kind.bury(item.head):
                moved.end(item.head.uid)
                rows.pop(item.head.uid, None)
        kind.reached(event.resource_version)
    for resource, slims in fresh.items():
        reading.write_rows(resource, list(slims.values()))
    if any(moves.values()):
        reading.settle(moves)
