"""watch: what happens to a kind from a version on, as lines of JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.calls import PARTIAL_LIST
from playground.apiserver.messages import Response
from playground.apiserver.reading import select, selection, whole_number
from playground.apiserver.store import CompactedError, encode
from playground.apiserver.views import META, entry_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.store import Event

LONGEST_WATCH = 1800.0
PULSE = 1.0  # how often a silent watch looks whether its client is still there


def watch(call: Call) -> Response:
    """Start a watch. Raises ApiError for what can be refused at once."""
    selection(call)
    whole_number(call, "timeoutSeconds")
    whole_number(call, "resourceVersion")
    return Response(200, stream=_Watch(call).lines())


class _Watch:
    """One watch, on the thread of its connection."""

    def __init__(self, call: Call) -> None:
        query = call.request.query
        self._call = call
        self._store = call.core.store
        # A real server finds no event in the form of a list, says so to nobody, and sends none.
        self._fits = selection(call) if call.partial != PARTIAL_LIST else lambda _: False
        seconds = float(query.get("timeoutSeconds") or 0) or LONGEST_WATCH
        self._deadline = time.monotonic() + seconds
        self._epoch = call.core.watch_epoch
        self._version = 0
        self._wants_bookmarks = call.request.asks("allowWatchBookmarks")
        self._next_bookmark = self._bookmark_time()

    def _bookmark_time(self) -> float:
        """Return the next moment for a bookmark: each interval, and two seconds before the end, as the real server."""
        now = time.monotonic()
        regular = now + self._call.core.bookmark_seconds
        return min(regular, self._deadline - 2) if self._deadline - 2 > now else regular

    def lines(self) -> Iterator[bytes]:
        """Yield events until the time is over, the server stops, or the history is too short."""
        wanted = self._call.request.query.get("resourceVersion", "")
        try:
            if wanted in {"", "0"} or self._call.request.asks("sendInitialEvents"):
                yield from self._initial()
            else:
                self._version = int(wanted)
                self._store.events_after(self._call.resource.key, self._version)
            while not self._is_over():
                yield from self._next()
        except CompactedError as error:
            yield self._gone(error.oldest)
        if self._call.core.watch_epoch != self._epoch:
            yield self._gone(self._store.revision)

    def _initial(self) -> Iterator[bytes]:
        with self._store.changed:
            entries, self._version = select(self._call), self._store.revision
        for entry in filter(lambda each: self._fits(each.object), entries):
            yield _line("ADDED", entry_json(self._call, entry))
        if self._call.request.asks("sendInitialEvents") and self._wants_bookmarks:
            yield self._bookmark({"annotations": {"k8s.io/initial-events-end": "true"}})

    def _is_over(self) -> bool:
        core = self._call.core
        return time.monotonic() >= self._deadline or core.stopping.is_set() or core.watch_epoch != self._epoch

    def _next(self) -> Iterator[bytes]:
        key = self._call.resource.key
        with self._store.changed:
            events = self._store.events_after(key, self._version, is_running=True)
            if not events:
                left = min(self._deadline, self._next_bookmark) - time.monotonic()
                self._store.changed.wait(max(0.0, min(PULSE, left)))
                events = self._store.events_after(key, self._version, is_running=True)
            self._version = self._store.revision
        for event in events:
            yield from self._event(event)
        if time.monotonic() >= self._next_bookmark:
            self._next_bookmark = self._bookmark_time()
            if self._wants_bookmarks:
                yield self._bookmark()
        elif not events:
            yield b""

    def _event(self, event: Event) -> Iterator[bytes]:
        kind = _kind(event, self._fits)
        if kind:
            yield _line(kind, entry_json(self._call, event.entry))

    def _bookmark(self, more: Json | None = None) -> bytes:
        resource = self._call.resource
        kind, api_version = resource.kind, resource.api_version
        if self._call.wants_partial:
            kind, api_version = "PartialObjectMetadata", META
        metadata = {"resourceVersion": str(self._version), "creationTimestamp": None, **(more or {})}
        return _line("BOOKMARK", encode({"kind": kind, "apiVersion": api_version, "metadata": metadata}))

    def _gone(self, oldest: int) -> bytes:
        return _line("ERROR", encode(errors.expired_version(self._version, oldest).body()))


def _kind(event: Event, fits: Callable[[Json], bool]) -> str:
    """Return what an event means to a watch that sees only what `fits`; empty if nothing."""
    was_seen = event.previous is not None and fits(event.previous.object)
    is_seen = not event.is_deleted and fits(event.entry.object)
    if was_seen:
        return "MODIFIED" if is_seen else "DELETED"
    return "ADDED" if is_seen else ""


def _line(kind: str, body: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"
