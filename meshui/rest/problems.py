"""Refusals and failures as application/problem+json (RFC 9457), with the words and statuses of the pages."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, JsonResponse
from django.http import HttpResponse as DjangoResponse
from django.utils.translation import gettext
from rest_framework import exceptions
from rest_framework.response import Response

from meshui.lib.errors import RefusedError
from meshui.ui import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

MEDIA_TYPE: Final = "application/problem+json"
PREFIX: Final = "/api/v1/"
PREFIX_OF_TYPES: Final = "urn:meshui:problem:"
INVALID: Final = 422
SOON: Final = 5
"""Seconds until what was down may be asked again."""
KINDS: Final = {
    400: "malformed",
    401: "not-signed-in",
    403: "denied",
    404: "missing",
    405: "method-not-allowed",
    409: "gone",
    412: "stale",
    413: "too-large",
    415: "media-type",
    422: "invalid",
    428: "precondition-required",
    429: "throttled",
    503: "unavailable",
}
TITLES: Final = {
    401: "Nobody is signed in",
    405: "This cannot be done here",
    413: "This request is too large",
    415: "The API reads JSON alone",
}
OF_DJANGO: Final[dict[type[Exception], int]] = {
    Http404: 404,
    PermissionDenied: 403,
    RequestDataTooBig: 413,
    SuspiciousOperation: 400,
}
"""The first that fits counts."""
MENDS: Final = {
    400: "Look at the schema at /api/v1/schema/.",
    401: "Sign in, or send a token.",
    415: "Send Content-Type: application/json.",
    422: "Mend what is named and send it again.",
}


def answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The EXCEPTION_HANDLER: a problem for everything that was refused; None for what failed, which Django reports."""
    request = context["request"]
    if isinstance(error, RefusedError):
        headers = {"Retry-After": str(getattr(error, "retry_after", SOON))} if error.retryable else {}
        words = {"detail": error.message, "mend": error.mend, **error.more}
        return _response(request, error.status, headers=headers, **words)
    if isinstance(error, exceptions.ValidationError):
        status = INVALID if type(error) is exceptions.ValidationError else error.status_code
        detail = "; ".join(f"{name}: {words}" if name else words for name, words in _lines(error.detail))
        return _response(request, status, detail=detail, errors=error.detail)
    if isinstance(error, exceptions.APIException):
        return _response(request, error.status_code, detail=str(error.detail), headers=_headers(error))
    status = next((status for kind, status in OF_DJANGO.items() if isinstance(error, kind)), 0)
    return _response(request, status) if status else None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: for the API a problem."""
    return _plain(request, 400) if _is_api(request) else refusals.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: for the API a problem."""
    return _plain(request, 500) if _is_api(request) else refusals.server_error(request)


def cross_site(request: HttpRequest) -> HttpResponse:
    """CROSS_SITE_VIEW: an unsafe request that a page of another site made. Before sessions, so without a frame."""
    detail = gettext("Requests from other sites are refused.")
    if _is_api(request):
        return _plain(request, 403, detail=detail)
    return DjangoResponse(f"{detail}\n", status=403, content_type="text/plain")


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(PREFIX)


def _plain(request: HttpRequest, status: int, *, detail: str = "") -> HttpResponse:
    return JsonResponse(_body(request, status, detail=detail), status=status, content_type=MEDIA_TYPE)


def _response(request: HttpRequest, status: int, *, headers: Mapping[str, str] | None = None, **words: Any) -> Response:
    return Response(_body(request, status, **words), status, headers=dict(headers or {}), content_type=MEDIA_TYPE)


def _body(request: HttpRequest, status: int, *, detail: str = "", mend: str = "", **more: Any) -> dict[str, Any]:
    words = refusals.WORDS.get(status)
    title = TITLES.get(status) or (words.title if words else HTTPStatus(status).phrase)
    return {
        "type": f"{PREFIX_OF_TYPES}{KINDS.get(status, 'failed')}",
        "title": str(title),
        "status": status,
        "detail": detail or (str(words.text) if words else ""),
        "instance": str(getattr(request, "request_id", "")),
        "mend": mend or MENDS.get(status, ""),
        **more,
    }


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]  # set by the view
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(round(error.wait))  # type: ignore[attr-defined]  # of Throttled
    return headers


def _lines(detail: Any, name: str = "") -> list[tuple[str, str]]:
    """Every message of a nested detail, with where it belongs."""
    if isinstance(detail, dict):
        return [line for key, inner in detail.items() for line in _lines(inner, f"{name}.{key}" if name else str(key))]
    if isinstance(detail, list):
        return [line for inner in detail for line in _lines(inner, name)]
    return [(name, str(detail))]
