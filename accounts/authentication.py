"""Who asks the API with a token: `Authorization: Bearer meshui_…`, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions

from accounts.selectors import source_of
from accounts.tokens import FAILURES_WITHIN, is_flooding, use_token

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request

    from accounts.models import Token, User

SCHEME = "bearer "


class TokenAuthentication(authentication.BaseAuthentication):
    """The owner, who carries the token: rights are then those of the token. No CSRF token is asked for."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """None without the header. Raises AuthenticationFailed (one answer for all), Throttled after many of them."""
        given = request.headers.get("Authorization", "")
        if not given.lower().startswith(SCHEME):
            return None
        address = source_of(request._request).ip  # noqa: SLF001 - DRF's own way to Django's request
        if is_flooding(address):
            raise exceptions.Throttled(FAILURES_WITHIN, "Too many wrong tokens came from this address.")
        token = use_token(given[len(SCHEME) :].strip(), address)
        if token is None:
            raise exceptions.AuthenticationFailed("This token does not work here: it is wrong, over or revoked.")
        owner = token.owner
        owner.token = token
        owner.token_key = token.key
        return owner, token

    def authenticate_header(self, request: Request) -> str:
        """What makes the answer a 401."""
        return 'Bearer realm="MeshUI"'


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """Tokens in the schema."""

    target_class = "accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """As OpenAPI has it."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "meshui_<key>.<secret>"}
