"""Guards around every request: its id, where it may come from, what may be kept; and refusals become pages."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import resolve_url
from django.utils.module_loading import import_string

from meshui.lib.clock import now
from meshui.lib.errors import RefusedError
from meshui.ui.htmx import is_htmx, vary_on_htmx
from meshui.ui.refusals import render_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Next = Callable[[HttpRequest], HttpResponse]

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Same-origin resources only, no device, no embedding: Django and django-csp give the rest.
HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class RequestGuardMiddleware:
    """Gives each request an id, refuses unsafe ones from other sites before anything reads them, forbids caching."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = secrets.token_hex(8)  # type: ignore[attr-defined]  # read by pages, audit and logs
        drawn_at = int(now().timestamp() * 1000)
        response = self._answer(request)
        # What moved since is told by the page's stream (static/live.js); in the body it would make equal pages differ.
        response["Server-Timing"] = f'drawn;desc="{drawn_at}"'
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]  # set above
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        # Static files are answered before this; whatever comes from a view may be somebody's.
        response.setdefault("Cache-Control", "no-store")
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.method not in SAFE and request.headers.get("Sec-Fetch-Site") == "cross-site":
            refuse: Next = import_string(settings.CROSS_SITE_VIEW)  # the API, which has words of its own, lies above
            return refuse(request)
        return self.get_response(request)


class RefusalMiddleware:
    """A RefusedError that no view caught becomes its page or fragment; a sign-in is asked of htmx as it understands."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_htmx(request) and _is_sign_in(response):
            # A 302 would be followed by the browser and the sign-in form swapped into a table.
            asked = HttpResponse(status=401, headers={"HX-Redirect": _sign_in_for(request, response)})
            vary_on_htmx(asked)
            return asked
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Draw a refusal; leave everything else to Django."""
        return render_refusal(request, exception) if isinstance(exception, RefusedError) else None


def _is_sign_in(response: HttpResponse) -> bool:
    path = urlsplit(response.headers.get("Location", "")).path
    return response.status_code == 302 and path == resolve_url(settings.LOGIN_URL)


def _sign_in_for(request: HttpRequest, response: HttpResponse) -> str:
    """The sign-in that leads back to the page, not to its fragment."""
    shown = urlsplit(request.headers.get("HX-Current-URL", ""))
    if shown.netloc != request.get_host():
        return response["Location"]
    query = f"?{shown.query}" if shown.query else ""
    return f"{urlsplit(response['Location']).path}?{urlencode({'next': shown.path + query})}"
