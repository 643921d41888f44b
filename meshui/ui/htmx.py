"""What htmx asks and is answered. One URL serves a page and its partial; forms post without script too."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

VARY: Final = ("HX-Request", "HX-Request-Type")
MASKED: Final = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*')
"""A token against forged requests: another one in every answer, each as good as the last."""


class SeeOther(HttpResponseRedirect):
    """303: the answer to a POST that was done."""

    status_code = 303


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks."""
    return request.headers.get("HX-Request") == "true"


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page; restoring history asks for all of it."""
    return is_htmx(request) and request.headers.get("HX-Request-Type") == "partial"


def is_live(request: HttpRequest) -> bool:
    """Whether the page itself asks, because something moved (static/live.js): nobody went anywhere."""
    return request.headers.get("HX-Live") == "true"


def vary_on_htmx(response: HttpResponseBase) -> None:
    """Keep a fragment from being shown as the page when Back asks the browser's cache."""
    patch_vary_headers(response, VARY)


def go_to(request: HttpRequest, url: str, *, said: str = "") -> HttpResponse:
    """Done: on to `url`. 303, or 204 with HX-Redirect for htmx. `said` is shown there as a toast."""
    if said:
        messages.success(request, said)
    if not is_htmx(request):
        return SeeOther(url)
    response = HttpResponse(status=204, headers={"HX-Redirect": url})
    vary_on_htmx(response)
    return response


def or_unchanged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """`response` with the ETag of what it shows; 304 where that is what the page shows already."""
    shown = MASKED.sub(b"", response.content)
    etag = f'W/"{sha256(shown).hexdigest()[:32]}"'
    answer = HttpResponseNotModified() if request.headers.get("If-None-Match") == etag else response
    answer["ETag"] = etag
    vary_on_htmx(answer)
    return answer


def push_url(request: HttpRequest, response: HttpResponse, *, bare: str = "") -> None:
    """Let the browser show the URL of this list, its empty parameters dropped; `bare` is the query if none is left."""
    pairs = [(key, value) for key, values in request.GET.lists() for value in values if value]
    response["HX-Push-Url"] = f"{request.path}?{urlencode(pairs)}" if pairs else f"{request.path}{bare}"


def asked(request: HttpRequest) -> str:
    """The query of this page, for the address of a part that has to know it; empty for none."""
    query = request.GET.urlencode()
    return f"?{query}" if query else ""
