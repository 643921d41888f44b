"""Around every request: tokens that leaked, sessions that are over, the time zone of who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.utils import timezone

from accounts import sessions
from accounts.rights import read_once
from accounts.selectors import request_id_of, source_of
from accounts.tokens import leaked_in, revoke_leaked
from audit.types import Actor
from meshui.rest.problems import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class TokenInAddressMiddleware:
    """A token in path or query is known to logs and histories: it is revoked, and the request refused (400)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        text = leaked_in(unquote(request.get_full_path()))
        if not text:
            return self.get_response(request)
        source, request_id = source_of(request), request_id_of(request)
        revoke_leaked(actor=Actor(kind="system", name="MeshUI", source=source, request_id=request_id), text=text)
        return bad_request(request, ValueError("a token in the address"))


class SessionLifeMiddleware:
    """A session that nobody used for too long is ended before anything reads it; one that is used is noted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            if sessions.is_over(request.session):
                sessions.lapse(request.session)
            elif "HX-Live" not in request.headers:  # what a page fetches by itself is no use by a person
                sessions.note(request.session)
        return self.get_response(request)


class GrantsMiddleware:
    """A request that changes nothing reads the grants of who sent it once; one that does asks anew at each question."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return self.get_response(request)
        with read_once():
            return self.get_response(request)


class TimeZoneMiddleware:
    """Pages show times in the zone of whoever is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(ZoneInfo(request.user.time_zone)):
            return self.get_response(request)
