"""A token that was sent in an address is known to logs and histories: it is revoked, and the request refused."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from accounts.selectors import request_id_of, source_of
from accounts.tokens import leaked_in, revoke_leaked
from audit.types import Actor
from meshui.rest.problems import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class TokenInAddressMiddleware:
    """400 for a token in path or query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        text = leaked_in(unquote(request.get_full_path()))
        if not text:
            return self.get_response(request)
        source, request_id = source_of(request), request_id_of(request)
        revoke_leaked(actor=Actor(kind="system", name="MeshUI", source=source, request_id=request_id), text=text)
        return bad_request(request, ValueError("a token in the address"))
