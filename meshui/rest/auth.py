"""Who asks: whoever is signed in on the pages, with the CSRF token of the pages for unsafe methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication

from meshui.lib.errors import DeniedError

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema
    from rest_framework.request import Request


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the pages. Nobody signed in is told so with 401, not 403."""

    def authenticate_header(self, request: Request) -> str:
        """What makes the answer a 401."""
        return 'Session realm="MeshUI"'


def require_session(request: Request) -> None:
    """Raise DeniedError for whoever did not sign in on the pages: what opens clusters is for people alone."""
    if not isinstance(request.successful_authenticator, authentication.SessionAuthentication):
        raise DeniedError("This takes a person who is signed in, not a token.", mend="Do it on the pages.")


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """The session cookie in the schema; its name has a prefix where the site is HTTPS."""

    target_class = "meshui.rest.auth.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """As OpenAPI has it."""
        return {"type": "apiKey", "in": "cookie", "name": "meshui"}
