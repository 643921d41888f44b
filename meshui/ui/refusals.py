"""Pages and fragments of what was refused or failed: what happened, what is kept, what to do, and the request id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy

from meshui.ui.htmx import is_partial, vary_on_htmx

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.utils.functional import _StrPromise

    from meshui.lib.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Words:
    """What a status means to people."""

    title: str | _StrPromise
    text: str | _StrPromise
    icon: str


def _(title: str, text: str, icon: str) -> Words:
    return Words(gettext_lazy(title), gettext_lazy(text), icon)


WORDS: Final = {
    400: _("This request cannot be read", "Something in it is malformed. Go back and try again.", "circle-x"),
    403: _("You may not do this", "Your grants do not cover it. Somebody with Access admin can change that.", "ban"),
    404: _("Nothing here", "There is no such page, or it is outside of what you may see.", "search"),
    409: _(
        "This is no longer possible", "The object moved on to a state in which this cannot be done.", "circle-slash"
    ),
    412: _("This changed since you opened it", "Read it again, then decide. What you wrote is kept.", "equal-not"),
    422: _("Not accepted as it stands", "Mend what is named below and send it again.", "circle-x"),
    428: _(
        "Which version do you mean?",
        "The request did not say which version it was about. Open the page again.",
        "history",
    ),
    429: _("Too many tries", "Wait a little, then try again.", "hourglass"),
    500: _("MeshUI failed", "The error was recorded. Nothing that you see here was half done.", "triangle-alert"),
    503: _("Something MeshUI needs is down", "Nothing was changed. Try again in a moment.", "unplug"),
}
WITHOUT_FRAME: Final = frozenset({400, 500, 503})  # may not touch the session or the database


def render_status(request: HttpRequest, status: int, *, message: str = "", mend: str = "") -> HttpResponse:
    """The page of `status`, or its fragment for htmx. `message` and `mend` take the place of the general words."""
    words = WORDS.get(status, WORDS[400])
    context = {
        "status": status,
        "title": words.title,
        "message": message or words.text,
        "mend": mend,
        "icon_name": words.icon,
        "request_id": getattr(request, "request_id", ""),
    }
    name = "errors/fragment.html" if is_partial(request) else f"errors/{status if status in WORDS else 400}.html"
    response = render(request, name, context, status=status)
    vary_on_htmx(response)
    return response


def render_refusal(request: HttpRequest, refused: RefusedError) -> HttpResponse:
    """The page or fragment of a refusal."""
    response = render_status(request, refused.status, message=refused.message, mend=refused.mend)
    if refused.retryable:
        response["Retry-After"] = "5"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400."""
    return render_status(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    return render_status(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    return render_status(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500."""
    return render_status(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW."""
    return render_status(
        request,
        403,
        message=gettext("This form was opened too long ago, or in another browser. Nothing was changed."),
        mend=gettext("Reload the page and send it again."),
    )


def too_many(request: HttpRequest) -> HttpResponse:
    """429."""
    return render_status(request, 429)
