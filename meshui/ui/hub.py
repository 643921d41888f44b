"""The streams of live data of this process: one subscription to the bus, each event encoded once for all of them.

Everything here happens in one event loop; the database is read in a thread, for all streams at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, connections

from meshui.lib.bus import Fact, Subscription
from meshui.lib.clock import now
from meshui.ui.rings import Mailbox, Ring, event
from meshui.ui.visitors import Asked, allowed, find_subjects, read_subjects, read_visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from meshui.lib.bus import Subject
    from meshui.lib.rights import Place
    from meshui.ui.visitors import Topic, Visitor

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger(__name__)
BATCH_SECONDS: Final = 0.03
"""Between two tellings: what is heard meanwhile is told together."""
SETTLE_SECONDS: Final = 0.005
"""Facts of one moment are told together, also the first: a verb that records five events rings a page once."""
RETRY_SECONDS: Final = 1.0
UNREAD_SECONDS: Final = 10.0
"""Rights that could not be read for so long count as lost."""
MOST_RINGS: Final = 4096
CUT_SECONDS: Final = 2.0
"""A reader that does not even take the end of its stream is cut off after so long."""


@dataclass(eq=False)
class Stream:
    """One open stream."""

    session: str
    visitor: Visitor
    topics: tuple[Topic, ...]
    box: Mailbox = field(default_factory=Mailbox)
    is_over: bool = False
    task: asyncio.Task[object] | None = field(default_factory=asyncio.current_task)

    def end(self) -> None:
        """Close it: its reader asks again, and is judged anew."""
        self.is_over = True
        self.box.ready.set()
        if self.task is not None:
            asyncio.get_running_loop().call_later(CUT_SECONDS, self._cut)

    def _cut(self) -> None:
        if self.task is not None and not self.task.done():
            self.task.cancel()


class Hub:
    """All of them."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self.encoded = 0
        self.is_away = False
        self._held: Counter[UUID] = Counter()
        self._by: dict[tuple[str, str], set[Stream]] = {}
        self._rings: OrderedDict[tuple[str, str], Ring] = OrderedDict()
        self._whole_since = now().timestamp()
        self._facts: dict[tuple[str, str], Fact] = {}
        self._rung, self._bell = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="live")
        self._subscription = Subscription(self)
        self._tasks = [self._loop.create_task(part, name="live") for part in (self._tell_on(), self._judge_on())]
        self._subscription.open()

    async def close(self) -> None:
        """End every stream and everything that was begun."""
        self.end_all()
        self._subscription.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def end_all(self) -> None:
        """The process is leaving."""
        for stream in tuple(self.streams):
            stream.end()

    async def ask(self, question: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`question` to the database, in a thread whose connection is closed afterwards."""

        def asked() -> R:
            try:
                return question(*args, **kwargs)
            finally:
                connections.close_all()

        return await self._loop.run_in_executor(self._threads, asked)

    # --- facts: from any thread --------------------------------------------------------------------------------------
    def hear(self, fact: Fact) -> None:
        """As Listener."""
        self._call(self._heard, fact)

    def miss(self) -> None:
        """As Listener: everybody reads anew."""
        self._call(self._missed)

    def set_away(self, *, is_away: bool) -> None:
        """As Listener."""
        self._call(self._went, is_away)

    def _call(self, act: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: act(*args, **kwargs))

    def _heard(self, fact: Fact) -> None:
        if fact.kind in settings.LIVE_BELLS:
            self._bell.set()
        if fact.kind in settings.LIVE_SUBJECTS:
            before = self._facts.get(fact[:2])
            is_progress = fact.is_progress and (before is None or before.is_progress)
            self._facts[fact[:2]] = Fact(fact.kind, fact.key, is_progress)
            self._rung.set()

    def _missed(self) -> None:
        self._rings.clear()
        self._whole_since = now().timestamp()
        self._bell.set()
        for stream in self.streams:
            stream.box.overrun()

    def _went(self, is_away: bool) -> None:  # noqa: FBT001 - a callback of this class alone
        self.is_away = is_away
        told = event("stale" if is_away else "fresh", {})
        for stream in self.streams:
            stream.box.put(told)

    # --- telling -----------------------------------------------------------------------------------------------------
    async def _tell_on(self) -> None:
        told_at = 0.0
        while True:
            await self._rung.wait()
            await asyncio.sleep(max(SETTLE_SECONDS, told_at + BATCH_SECONDS - self._loop.time()))
            told_at = self._loop.time()
            facts, self._facts = tuple(self._facts.values()), {}
            self._rung.clear()
            try:
                places = await self.places(facts)
            except Error as error:
                log.warning("Live data cannot be told for now: %s", error)
                self._facts = {fact[:2]: fact for fact in facts} | self._facts
                self._loop.call_later(RETRY_SECONDS, self._rung.set)
                continue
            for fact in facts:
                self._spread(fact, places.get(fact[:2], ()))

    async def places(self, facts: Iterable[Fact]) -> Mapping[tuple[str, str], Iterable[Place]]:
        """Where the subjects are, as far as somebody listens to a list of their kind."""
        keys: dict[str, set[str]] = {}
        for fact in facts:
            if self._by.get((fact.kind, "")):
                keys.setdefault(fact.kind, set()).add(fact.key)
        if not keys:
            return {}
        found = await self.ask(lambda: {kind: find_subjects(kind, keys=some) for kind, some in keys.items()})
        return {(kind, subject.key): subject.places for kind, some in found.items() for subject in some}

    def _spread(self, fact: Fact, places: Iterable[Place]) -> None:
        """To whoever listens to the subject, and to whoever listens to all of them and may see this one."""
        self._tell((fact.kind, fact.key), fact, self._by.get((fact.kind, fact.key), set()))
        readers = self._by.get((fact.kind, ""), set())
        self._tell((fact.kind, ""), fact, {stream for stream in readers if stream.visitor.sees(places)})

    def _tell(self, where: tuple[str, str], fact: Fact, readers: set[Stream]) -> None:
        """One event, encoded once, the same bytes for all `readers`."""
        ring = self.ring(where)
        token = "" if fact.is_progress else ring.add(fact.key, now().timestamp()).token
        if not readers:
            return
        text = self._text(where, next(iter(readers)))
        data = self.encode(text, token)
        for stream in readers:
            if fact.is_progress:
                stream.box.replace(text, data)
            else:
                stream.box.put(data)

    def encode(self, text: str, token: str) -> bytes:
        """The event that says: look at `text` again."""
        self.encoded += 1
        if token:
            return event("state", {"topic": text}, f"{text}:{token}")
        return event("progress", {"topic": text})

    @staticmethod
    def _text(where: tuple[str, str], stream: Stream) -> str:
        return next(topic.text for topic in stream.topics if topic[1:] == where)

    def ring(self, where: tuple[str, str]) -> Ring:
        """The ring of a topic; of the topics that nobody asked for longest, the rings go."""
        if where not in self._rings:
            self._rings[where] = Ring(self._whole_since)
            if len(self._rings) > MOST_RINGS:
                self._rings.popitem(last=False)
                self._whole_since = now().timestamp()
        self._rings.move_to_end(where)
        return self._rings[where]

    # --- readers -----------------------------------------------------------------------------------------------------
    def reserve(self, user_id: UUID) -> bool:
        """Count one more stream of a person; False: they have as many as they may."""
        if self._held[user_id] >= settings.LIVE_STREAMS_A_PERSON:
            return False
        self._held[user_id] += 1
        return True

    def give_back(self, user_id: UUID) -> None:
        """One stream less."""
        self._held[user_id] -= 1
        if not self._held[user_id]:
            del self._held[user_id]

    def join(self, stream: Stream) -> None:
        """It hears from now on."""
        self.streams.add(stream)
        for topic in stream.topics:
            self._by.setdefault(topic[1:], set()).add(stream)

    def leave(self, stream: Stream) -> None:
        """It hears no more."""
        self.streams.discard(stream)
        for topic in stream.topics:
            readers = self._by.get(topic[1:], set())
            readers.discard(stream)
            if not readers:
                self._by.pop(topic[1:], None)

    # --- rights ------------------------------------------------------------------------------------------------------
    async def _judge_on(self) -> None:
        """Every few seconds, and when the bell rings: whoever lost a right, or the session, loses the stream."""
        read_at = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(settings.LIVE_REREAD_SECONDS):
                    await self._bell.wait()
                await asyncio.sleep(BATCH_SECONDS)
            except TimeoutError:
                pass
            self._bell.clear()
            try:
                await self.judge()
                read_at = time.monotonic()
            except Error as error:
                log.warning("The rights of %d streams cannot be read: %s", len(self.streams), error)
                if time.monotonic() - read_at > UNREAD_SECONDS:
                    self.end_all()

    async def judge(self) -> None:
        """Read sessions, people, grants and subjects of all streams: one round of queries, however many there are."""
        streams = tuple(self.streams)
        if not streams:
            return
        asked = {_asked(topic) for stream in streams for topic in stream.topics}
        sessions = {stream.session for stream in streams}
        visitors, subjects = await self.ask(lambda: (read_visitors(sessions), read_subjects(asked)))
        for stream in streams:
            self._judge(stream, visitors.get(stream.session), subjects)

    @staticmethod
    def _judge(stream: Stream, visitor: Visitor | None, subjects: Mapping[str, Subject]) -> None:
        if visitor is None or visitor.user_id != stream.visitor.user_id:
            stream.end()
            return
        stream.visitor = visitor
        if allowed(visitor, map(_asked, stream.topics), subjects) != stream.topics:
            stream.end()


def _asked(topic: Topic) -> Asked:
    return Asked(topic.text, topic.kind, topic.text.partition("-")[2] if topic.key else "")
