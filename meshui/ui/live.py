"""`/live/<topics>/`: server-sent events, one stream per tab. A raw ASGI handler in front of Django.

Outside of Django's middleware, so it does itself what that does: host, method, where the request comes from, session,
rights, headers. An event says which topic moved and nothing else; the page asks for its fragment, which is scoped.
"""

from __future__ import annotations

import asyncio
import io
import secrets
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import Error

from meshui.lib.bus import Fact
from meshui.ui.hub import Hub, Stream
from meshui.ui.middleware import HEADERS
from meshui.ui.proxies import forget_claims
from meshui.ui.rings import BEAT, event, positions
from meshui.ui.visitors import allowed, parse_topics, read_subjects, read_visitors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

    from meshui.lib.rights import Place
    from meshui.ui.rings import Told
    from meshui.ui.visitors import Asked, Topic, Visitor

PREFIX: Final = "/live/"
STREAMING: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
REFUSED: Final = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
BUSY_SECONDS: Final = 5
_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


class RefusedStreamError(Exception):
    """No stream: `status`, and the headers that go with it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = dict(headers or {})


def with_live(inner: ASGI3Application) -> ASGI3Application:
    """`inner`, with the streams in front of it."""

    async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await answer(scope, receive, send)
        else:
            await inner(scope, receive, send)

    return application


def hub() -> Hub:
    """The hub of this loop; begun when it is first asked for."""
    loop = asyncio.get_running_loop()
    for gone in [other for other in _hubs if other.is_closed()]:
        del _hubs[gone]
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def end_streams() -> None:
    """The server is leaving: open streams would hold it up."""
    if (found := _hubs.get(asyncio.get_running_loop())) is not None:
        found.end_all()


async def close_hub() -> None:
    """The server has left."""
    if (found := _hubs.pop(asyncio.get_running_loop(), None)) is not None:
        await found.close()


async def answer(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """One request: a stream until it ends, or why there is none."""
    request = ASGIRequest(cast("dict[str, object]", scope), io.BytesIO())
    forget_claims(request)
    try:
        stream = await admit(request, check(request))
    except RefusedStreamError as refusal:
        await _start(send, refusal.status, REFUSED | refusal.headers)
        await send({"type": "http.response.body", "body": f"{refusal}\n".encode(), "more_body": False})
        return
    try:
        behind = Behind(stream, request.headers.get("Last-Event-ID", ""))
        await _start(send, 200, STREAMING)
        await _send(send, await behind.told())
        await _stream(stream, receive, send)
    finally:
        hub().leave(stream)
        hub().give_back(stream.visitor.user_id)


def check(request: ASGIRequest) -> tuple[Asked, ...]:
    """The topics of a request that may be asked at all. Raises RefusedStreamError."""
    try:
        host = request.get_host()
    except DisallowedHost as error:
        raise RefusedStreamError(400, "This host is not served here.") from error
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise RefusedStreamError(400, "Only over https.")
    if request.method != "GET":
        raise RefusedStreamError(405, "Only GET.", {"Allow": "GET"})
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != host
    # Browsers leave the header out on http:// addresses that are not this machine; the cookie is SameSite then, too.
    if is_foreign or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise RefusedStreamError(403, "Requests from other sites are refused.")
    path = request.path_info.removeprefix(PREFIX)
    asked = parse_topics(path.removesuffix("/")) if path.endswith("/") else None
    if asked is None:
        raise RefusedStreamError(404, "There is no such topic.")
    return asked


async def admit(request: ASGIRequest, asked: tuple[Asked, ...]) -> Stream:
    """A stream that counts and hears: of its topics those that are there and may be heard.

    Raises RefusedStreamError.
    """
    here, session = hub(), request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    visitor = await _visitor(here, session)
    if not here.reserve(visitor.user_id):
        text = f"You have {settings.LIVE_STREAMS_A_PERSON} streams open."
        raise RefusedStreamError(429, text, {"Retry-After": str(BUSY_SECONDS)})
    try:
        stream = Stream(session, visitor, await _topics(here, visitor, asked))
    except BaseException:
        here.give_back(visitor.user_id)
        raise
    here.join(stream)
    return stream


async def _topics(here: Hub, visitor: Visitor, asked: tuple[Asked, ...]) -> tuple[Topic, ...]:
    try:
        topics = allowed(visitor, asked, await here.ask(read_subjects, asked))
    except Error as error:
        raise RefusedStreamError(503, "The database does not answer.") from error
    if not topics:
        raise RefusedStreamError(404, "There is no such topic.")
    return topics


async def _visitor(here: Hub, session: str) -> Visitor:
    try:
        found = await here.ask(read_visitors, [session]) if session else {}
    except Error as error:
        raise RefusedStreamError(503, "The database does not answer.") from error
    if session not in found:
        raise RefusedStreamError(401, "Nobody is signed in.")
    return found[session]


async def _stream(stream: Stream, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Whatever comes, and a beat when nothing does."""
    leaving = asyncio.create_task(_until_gone(stream, receive))
    try:
        while not stream.is_over:
            try:
                async with asyncio.timeout(settings.LIVE_BEAT_SECONDS):
                    await stream.box.ready.wait()
            except TimeoutError:
                await _send(send, BEAT)
                continue
            if not stream.is_over:
                await _send(send, waiting(stream))
        await send({"type": "http.response.body", "body": event("done", {}), "more_body": False})
    except asyncio.CancelledError:
        if not stream.is_over:
            raise
    finally:
        leaving.cancel()


def waiting(stream: Stream) -> bytes:
    """What its box holds; of an overrun one, that everything has to be read anew."""
    is_overrun = stream.box.is_overrun
    taken = b"".join(stream.box.take())
    return resync(positions_of(stream)) + taken if is_overrun else taken


async def _until_gone(stream: Stream, receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.is_over = True
    stream.box.ready.set()


class Behind:
    """Where a reader stands, and what they missed since `heard`. Made in one breath with joining: nothing is told
    between the two, so nothing is lost and nothing comes twice.
    """

    def __init__(self, stream: Stream, heard: str) -> None:
        self._stream = stream
        self._at = positions_of(stream)
        known = positions(heard)
        self._missed = {topic: hub().ring(topic[1:]).since(known.get(topic.text, "")) for topic in stream.topics}

    async def told(self) -> bytes:
        """A greeting with the reader's positions; then per topic its events, or that it must be read anew."""
        places = await self._places()
        parts = [event("hello", {"at": self._at, "away": hub().is_away})]
        for topic, missed in self._missed.items():
            if missed is None or (places is None and missed and not topic.key):
                parts.append(resync({topic.text: self._at[topic.text]}))
                continue
            seen = [told for told in missed if topic.key or self._sees(topic, told, places or {})]
            parts += [hub().encode(topic.text, told.token) for told in seen]
        return b"".join(parts)

    def _sees(self, topic: Topic, told: Told, places: Mapping[tuple[str, str], Iterable[Place]]) -> bool:
        return self._stream.visitor.sees(places.get((topic.kind, told.key), ()))

    async def _places(self) -> Mapping[tuple[str, str], Iterable[Place]] | None:
        """Where the subjects of missed events of lists are; None: they cannot be read now."""
        facts = [
            Fact(topic.kind, told.key)
            for topic, missed in self._missed.items()
            for told in (missed or [])
            if not topic.key
        ]
        try:
            return await hub().places(facts)
        except Error:
            return None


def positions_of(stream: Stream) -> dict[str, str]:
    """Text of a topic → the token of who has heard all of it."""
    return {topic.text: hub().ring(topic[1:]).here for topic in stream.topics}


def resync(at: Mapping[str, str]) -> bytes:
    """These topics have to be read anew; from there on the positions are `at`."""
    return event("resync", {"at": at, "away": hub().is_away})


async def _send(send: ASGISendCallable, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _start(send: ASGISendCallable, status: int, headers: Mapping[str, str]) -> None:
    """The head of an answer, with the guards that every page has."""
    guards = {
        **HEADERS,
        "Content-Security-Policy": build_policy(),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "Referrer-Policy": str(settings.SECURE_REFERRER_POLICY),
        "Cross-Origin-Opener-Policy": str(settings.SECURE_CROSS_ORIGIN_OPENER_POLICY),
        "X-Request-ID": secrets.token_hex(8),
    }
    if settings.SECURE_HSTS_SECONDS:
        parts = (
            f"max-age={settings.SECURE_HSTS_SECONDS}",
            "includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else "",
            "preload" if settings.SECURE_HSTS_PRELOAD else "",
        )
        guards["Strict-Transport-Security"] = "; ".join(part for part in parts if part)
    lines = [(name.lower().encode(), value.encode()) for name, value in (guards | dict(headers)).items()]
    await send({"type": "http.response.start", "status": status, "headers": lines, "trailers": False})
