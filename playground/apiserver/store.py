"""Objects in memory: one lock, one counter of versions, one history that can be cut."""

from __future__ import annotations

import json
import threading
import uuid
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json

LONGEST_LOG = 50_000


class CompactedError(Exception):
    """The history does not reach back to the version that is asked for; `oldest` is the first it still has."""

    def __init__(self, oldest: int) -> None:
        """Remember `oldest`."""
        super().__init__(f"compacted up to {oldest}")
        self.oldest = oldest


def encode(value: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object. `object` is shared: nobody may change it."""

    key: str  # "namespace/name", or "name"
    version: int
    object: Json
    body: bytes

    @property
    def namespace(self) -> str:
        """The namespace, or an empty text."""
        return str(self.object["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        """The name in its namespace."""
        return str(self.object["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Event:
    """What happened at one version: `previous` is None for what is new, `is_deleted` for what is gone."""

    version: int
    kind: str
    entry: Entry
    previous: Entry | None
    is_deleted: bool = False


def key_of(namespace: str, name: str) -> str:
    """Return the key of an object; keys sort as in etcd."""
    return f"{namespace}/{name}" if namespace else name


class Store:
    """All objects by kind. `changed` is the lock, and is notified at each write."""

    def __init__(self) -> None:
        """Start empty, with versions that no client has seen."""
        self.changed = threading.Condition()
        self._objects: dict[str, dict[str, Entry]] = defaultdict(dict)
        self._logs: dict[str, list[Event]] = defaultdict(list)
        self._revision = 100
        self._compacted = 100

    @property
    def revision(self) -> int:
        """The version of the last write."""
        return self._revision

    @property
    def compacted(self) -> int:
        """The last version whose history is gone."""
        return self._compacted

    def get(self, kind: str, key: str) -> Entry | None:
        """Return the object as it is now, or None."""
        with self.changed:
            return self._objects[kind].get(key)

    def put(self, kind: str, obj: Json, *, expected: int | None = None) -> Entry | None:
        """Write `obj` (taken over, do not change it later) and give it the next version.

        With `expected`, only if that is still the version in the store (0: not there); else None and nothing written.
        """
        metadata = obj["metadata"]
        key = key_of(metadata.get("namespace", ""), metadata["name"])
        with self.changed:
            previous = self._objects[kind].get(key)
            if expected is not None and expected != (previous.version if previous else 0):
                return None
            self._revision += 1
            metadata["resourceVersion"] = str(self._revision)
            obj = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], **obj}
            entry = Entry(key, self._revision, obj, encode(obj))
            self._objects[kind][key] = entry
            self._record(Event(self._revision, kind, entry, previous))
            return entry

    def delete(self, kind: str, key: str, *, expected: int | None = None, last: Json | None = None) -> Entry | None:
        """Take the object away; return its last state (`last`, if that differs) with the version of its end.

        None if it is not there, or not in the version `expected`.
        """
        with self.changed:
            previous = self._objects[kind].get(key)
            if previous is None or expected not in {None, previous.version}:
                return None
            del self._objects[kind][key]
            self._revision += 1
            obj = dict(last or previous.object)
            obj["metadata"] = {**obj["metadata"], "resourceVersion": str(self._revision)}
            entry = Entry(key, self._revision, obj, encode(obj))
            self._record(Event(self._revision, kind, entry, previous, is_deleted=True))
            return entry

    def give_new_identities(self) -> None:
        """Give every object a new uid, as if a copy of the cluster stood in its place; owners are followed.

        Service accounts keep theirs: their tokens name it.
        """
        with self.changed:
            uids: dict[str, str] = defaultdict(lambda: str(uuid.uuid4()))
            for kind in [kind for kind in self._objects if kind != "serviceaccounts"]:
                for entry in list(self._objects[kind].values()):
                    obj = json.loads(entry.body)
                    owners = obj["metadata"].get("ownerReferences") or ()
                    for part in (obj["metadata"], *owners):
                        part["uid"] = uids[part["uid"]]
                    self.put(kind, obj)
            self.compact()

    def _record(self, event: Event) -> None:
        log = self._logs[event.kind]
        log.append(event)
        if len(log) > LONGEST_LOG:
            self._compacted = max(self._compacted, log[LONGEST_LOG // 2].version)
            del log[: LONGEST_LOG // 2 + 1]
        self.changed.notify_all()

    def entries(self, kind: str, version: int | None = None) -> tuple[list[Entry], int]:
        """Return all objects of a kind, sorted by key, and the version they are of.

        Raises CompactedError if the history does not reach back to `version`.
        """
        with self.changed:
            objects = self._objects[kind]
            if version is not None and version < self._revision:
                if version < self._compacted:
                    raise CompactedError(self._compacted)
                objects = self._rewound(kind, version)
            return [objects[key] for key in sorted(objects)], version or self._revision

    def _rewound(self, kind: str, version: int) -> dict[str, Entry]:
        objects = dict(self._objects[kind])
        for event in reversed(self._logs[kind]):
            if event.version <= version:
                break
            if event.previous is None:
                objects.pop(event.entry.key, None)
            else:
                objects[event.entry.key] = event.previous
        return objects

    def events_after(self, kind: str, version: int, *, is_running: bool = False) -> list[Event]:
        """Return what happened to a kind after `version`; CompactedError if that is too long ago.

        A watch that `is_running` has seen all up to `version`: a compaction does not cut it off, as in the real server,
        whose watch cache is not etcd.
        """
        with self.changed:
            if version < self._compacted and not is_running:
                raise CompactedError(self._compacted)
            log = self._logs[kind]
            return log[bisect_right(log, version, key=lambda event: event.version) :]

    def compact(self) -> None:
        """Make every version before this moment too old to read or to watch from."""
        with self.changed:
            self._revision += 1  # in a real cluster somebody always writes something
            self._compacted = self._revision
            self.changed.notify_all()
