"""/healthz/ and /readyz/: for whatever keeps the process running. They say nothing but that, to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, connection
from django.http import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Next = Callable[[HttpRequest], HttpResponse]

ALIVE: Final = "/healthz/"
READY: Final = "/readyz/"


class HealthMiddleware:
    """Answers before hosts, https, sessions and pages are looked at: a probe knows the address of one process alone."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in {ALIVE, READY}:
            return self.get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return _say(405, "method not allowed")
        if request.path_info == READY and not _has_database():
            return _say(503, "not ready")
        return _say(200, "ok")


def _has_database() -> bool:
    """Whether it answers now; one query without a table."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _say(status: int, word: str) -> HttpResponse:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(f"{word}\n", status=status, content_type="text/plain", headers=headers)
