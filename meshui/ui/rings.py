"""What was told of a topic lately, so that whoever was away hears what they missed; and the slots of one reader."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RING: Final = 1000
BOX: Final = 64
MARGIN_SECONDS: Final = 2.0
"""The clock of whoever drew a page may be off by as much."""
BEAT: Final = b": beat\n\n"


class Told(NamedTuple):
    """One event of a topic. Its token is random: a number would tell how much happens out of the reader's sight."""

    token: str
    at: float
    key: str


class Ring:
    """The last events of a topic in their order, and where a reader stands between them."""

    def __init__(self, at: float) -> None:
        self._origin = secrets.token_hex(6)
        self._whole_since = at
        self._told: deque[Told] = deque(maxlen=RING)

    @property
    def here(self) -> str:
        """The token of who has heard everything so far."""
        return self._told[-1].token if self._told else self._origin

    def add(self, key: str, at: float) -> Told:
        """One more event; the oldest may fall out."""
        if len(self._told) == RING:
            self._origin, self._whole_since = self._told[0].token, self._told[0].at
        self._told.append(Told(secrets.token_hex(6), at, key))
        return self._told[-1]

    def since(self, position: str) -> list[Told] | None:
        """What came after `position`: a token, or `@` and the time (ms) of a page; None: nobody knows any more."""
        if position.startswith("@"):
            return self._since_time(position[1:])
        if position == self._origin:
            return list(self._told)
        found = next((i for i, told in enumerate(self._told) if told.token == position), None)
        return None if found is None else list(islice(self._told, found + 1, None))

    def _since_time(self, text: str) -> list[Told] | None:
        if not text.isdecimal() or len(text) > 15:
            return None
        moment = int(text) / 1000 - MARGIN_SECONDS
        return None if moment < self._whole_since else [told for told in self._told if told.at > moment]


def positions(header: str) -> dict[str, str]:
    """Of a Last-Event-ID, `changes:5f0c change-12:@1790000000000`: topic → position. Anything else is left out."""
    pairs = (word.partition(":") for word in header[:8000].split())
    return {topic: position for topic, _, position in pairs if position}


def event(name: str, data: Mapping[str, object], token: str = "") -> bytes:
    """One server-sent event."""
    head = f"id: {token}\n" if token else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


class Mailbox:
    """What one reader has yet to be sent. Bounded: a slow reader is told to read anew instead of being queued for."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.is_overrun = False
        self._states: deque[bytes] = deque()
        self._progress: dict[str, bytes] = {}

    def put(self, data: bytes) -> None:
        """A state event, kept in order; past BOX of them all are dropped, and `is_overrun` says so."""
        if len(self._states) >= BOX or self.is_overrun:
            self.overrun()
        else:
            self._states.append(data)
            self.ready.set()

    def replace(self, topic: str, data: bytes) -> None:
        """A number that moved: the newest of its topic wins."""
        self._progress[topic] = data
        self.ready.set()

    def overrun(self) -> None:
        """Whatever waits is void: the reader reads anew."""
        self._states.clear()
        self._progress.clear()
        self.is_overrun = True
        self.ready.set()

    def take(self) -> Sequence[bytes]:
        """All that waits; empties the box."""
        taken: Iterable[bytes] = (*self._states, *self._progress.values())
        self._states.clear()
        self._progress.clear()
        self.is_overrun = False
        self.ready.clear()
        return tuple(taken)
