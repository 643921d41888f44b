"""What moved, told to whoever shows it: after the commit, within this process or through Redis to all of them.

A fact holds a kind and an id and nothing else: no name, no secret. It means "look again"; who may look is decided by
who hears it. Embedded (no broker): the threads of one process. Else Redis pub/sub, so that workers are heard, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import transaction
from redis.asyncio import Redis as AsyncRedis

from meshui.lib.leases import PROCESS

if TYPE_CHECKING:
    from uuid import UUID

    from meshui.lib.rights import Place

log = logging.getLogger(__name__)
PATIENCE_SECONDS: Final = 1.0
"""How long a publisher waits for Redis, and how long it then leaves it alone: whoever publishes has something to do."""
QUIET_SECONDS: Final = 3.0
"""After so long without a word Redis is asked whether it is there; after twice as long it is away."""
RETRY_SECONDS: Final = (0.2, 1.0)


class Fact(NamedTuple):
    """Something moved. `is_progress`: a number within a state, of which the newest alone counts."""

    kind: str
    key: str
    is_progress: bool = False


class Subject(NamedTuple):
    """What a fact may be about: its id, the name that its URL has, where it is (for scopes)."""

    key: str
    name: str
    places: tuple[Place, ...]


class Listener(Protocol):
    """Who hears facts. Called from any thread; must return at once."""

    def hear(self, fact: Fact) -> None:
        """A fact."""

    def miss(self) -> None:
        """Facts may have been lost: whatever is shown has to be read again."""

    def set_away(self, *, is_away: bool) -> None:
        """Whether nothing can be heard at present."""


_listeners: set[Listener] = set()
_guard = threading.Lock()
_sent = 0
_quiet_until = 0.0
_clients: dict[str, redis.Redis] = {}


def publish(kind: str, key: UUID | int | str, *, is_progress: bool = False) -> None:
    """Tell that `kind` `key` moved, once this transaction is committed; never fails the caller."""
    transaction.on_commit(partial(_tell, Fact(kind, str(key), is_progress)))


def channel() -> str:
    """The channel of this installation: others may share the Redis."""
    return f"meshui:live:{hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest()[:16]}"


def is_shared() -> bool:
    """Whether facts go through Redis."""
    return urlsplit(settings.BROKER_URL).scheme in {"redis", "rediss"}


def _tell(fact: Fact) -> None:
    if settings.BROKER_URL:
        _send(fact)
        return
    for listener in tuple(_listeners):
        listener.hear(fact)


def _send(fact: Fact) -> None:
    """Numbered by process, so that whoever hears notices a fact that was lost on the way."""
    global _sent, _quiet_until  # noqa: PLW0603 - one process, one line of numbers
    with _guard:
        _sent += 1
        if not is_shared() or time.monotonic() < _quiet_until:
            return
        try:
            _client(settings.BROKER_URL).publish(channel(), json.dumps([PROCESS, _sent, *fact]))
        except (redis.RedisError, OSError) as error:
            _quiet_until = time.monotonic() + PATIENCE_SECONDS
            log.warning("A fact about %s was not published (%s); pages notice at the next one.", fact.kind, error)


def _client(url: str) -> redis.Redis:
    if url not in _clients:
        _clients[url] = redis.Redis.from_url(
            url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
        )
    return _clients[url]


class Subscription:
    """The one subscription of this process: `listener` hears facts while it is open. To be used inside one loop."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._task: asyncio.Task[None] | None = None
        self._numbers: dict[str, int] = {}

    def open(self) -> None:
        """Begin to hear; call once."""
        if not settings.BROKER_URL:
            _listeners.add(self._listener)
        elif is_shared():
            self._listener.set_away(is_away=True)
            self._task = asyncio.get_running_loop().create_task(self._follow(), name="bus")
        else:
            self._listener.set_away(is_away=True)
            log.warning("Pages poll: live data needs a broker that is Redis.")

    def close(self) -> None:
        """Hear nothing more."""
        _listeners.discard(self._listener)
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        """Subscribe again and again; whenever it begins, facts may have been missed."""
        while True:
            try:
                async with AsyncRedis.from_url(settings.BROKER_URL, socket_connect_timeout=QUIET_SECONDS) as client:
                    await self._listen(client.pubsub())
            except (redis.RedisError, OSError) as error:
                self._listener.set_away(is_away=True)
                log.warning("Redis does not answer (%s): pages poll until it does.", error)
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))  # noqa: S311 - jitter

    async def _listen(self, pubsub: Any) -> None:
        """Until Redis falls silent. Raises RedisError or OSError."""
        async with pubsub:
            await pubsub.subscribe(channel())
            is_asked = False
            while True:
                message = await pubsub.get_message(timeout=QUIET_SECONDS)
                if message is None and is_asked:
                    raise redis.TimeoutError("no answer to a ping")
                if message is None:
                    await pubsub.ping()
                elif message["type"] == "subscribe":
                    self._begin()
                elif message["type"] == "message":
                    self._hear(message["data"])
                is_asked = message is None

    def _begin(self) -> None:
        self._numbers.clear()
        self._listener.miss()
        self._listener.set_away(is_away=False)

    def _hear(self, data: bytes) -> None:
        """One message; a number that does not follow the last of its process says that some were lost."""
        try:
            process, number, kind, key, is_progress = json.loads(data)
            fact = Fact(str(kind), str(key), bool(is_progress))
        except (ValueError, TypeError):
            log.warning("Something else than a fact stands on the channel of live data.")
            return
        expected = self._numbers.get(process, number - 1) + 1
        self._numbers[process] = number
        if number != expected:
            self._listener.miss()
        self._listener.hear(fact)
