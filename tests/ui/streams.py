"""Readers of live data in the loop of a test: the ASGI application is called as a server calls it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.db import connections
from django.test import Client

from meshui.ui import live

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from accounts.models import User


class Event(NamedTuple):
    """One event as a browser takes it apart."""

    name: str
    data: dict[str, Any]
    token: str


def session_of(user: User) -> str:
    """A new session in which `user` is signed in: its key."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@dataclass
class Reader:
    """One request for a stream, and what came of it."""

    path: str
    session: str = ""
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    is_slow: bool = False
    status: int = 0
    answered: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_over: bool = False
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def scope(self) -> Any:
        """As uvicorn makes it."""
        headers = {"host": "127.0.0.1", **self.headers}
        if self.session:
            headers["cookie"] = f"{settings.SESSION_COOKIE_NAME}={self.session}"
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        where = {"path": self.path, "raw_path": self.path.encode(), "query_string": b"", "root_path": ""}
        return {"type": "http", "method": self.method, "headers": raw, "scheme": "http", "http_version": "1.1", **where}

    async def open(self) -> Reader:
        """Ask, and wait for the head of the answer."""
        self.task = asyncio.create_task(live.answer(self.scope(), self._receive, self._send))
        await until(lambda: self.status != 0 or self.has_ended)
        if self.has_ended:
            self.task.result()
        return self

    async def leave(self) -> None:
        """The browser goes."""
        self._gone.set()
        if self.task is not None:
            await asyncio.wait_for(self.task, 5)

    @property
    def has_ended(self) -> bool:
        """Whether the application returned."""
        return self.task is not None and self.task.done()

    def events(self, *names: str) -> list[Event]:
        """All events so far, or those with one of `names`."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "event" in lines and (not names or lines["event"] in names):
                found.append(Event(lines["event"], json.loads(lines["data"]), lines.get("id", "")))
        return found

    def topics(self) -> list[str]:
        """The topics of its state events, in order."""
        return [event.data["topic"] for event in self.events("state")]

    async def hears(self, count: int) -> None:
        """Wait for so many state events."""
        await until(lambda: len(self.events("state")) >= count)

    def position(self) -> str:
        """What its browser sends as Last-Event-ID when it comes again."""
        at: dict[str, str] = {}
        for event in self.events("hello", "resync", "state"):
            at |= event.data.get("at", {})
            if event.token:
                topic, _, token = event.token.partition(":")
                at[topic] = token
        return " ".join(f"{topic}:{token}" for topic, token in at.items())

    async def _receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answered = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if self.is_slow and self.status == 200:
            await asyncio.Event().wait()  # a reader whose socket is full
        self.body += message["body"]
        self.is_over = not message["more_body"]


async def in_thread(act: Callable[..., object], *args: object, **words: object) -> None:
    """Do it in a thread of its own, which leaves no connection to the database behind."""

    def do() -> None:
        try:
            act(*args, **words)
        finally:
            connections.close_all()

    await asyncio.to_thread(do)


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait for it."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `test` in a loop of its own; its hub is closed afterwards."""

    async def run() -> None:
        live.hub()
        try:
            await test()
        finally:
            await live.close_hub()

    asyncio.run(run())
