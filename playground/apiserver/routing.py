"""From a request to its answer: who, what, may they, and which function does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver import deleting, errors, proxying, reading, reviews, watching, writing
from playground.apiserver.calls import Call
from playground.apiserver.discovery import HEALTH, discover, version_info
from playground.apiserver.faults import violations_of
from playground.apiserver.messages import Response, answer, target_of
from playground.apiserver.resources import REVIEWS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.calls import Core
    from playground.apiserver.faults import Violation
    from playground.apiserver.messages import Request, Target, User
    from playground.apiserver.resources import Resource

VERBS: dict[str, Callable[[Call], Response]] = {
    "get": reading.get,
    "list": reading.list_objects,
    "watch": watching.watch,
    "create": writing.create,
    "update": writing.replace,
    "patch": writing.patch,
    "delete": deleting.delete,
    "deletecollection": deleting.delete_collection,
}
PROXIES = frozenset({("pods", "proxy"), ("services", "proxy")})


class Router:
    """Answers requests. Every refusal becomes a Status."""

    def __init__(self, core: Core, violations: list[Violation]) -> None:
        """Write what MeshUI must never do to `violations`."""
        self.git_version = "v1.36.2"
        self._core = core
        self._violations = violations

    def respond(self, request: Request) -> tuple[Response, str]:
        """Return the answer and the name of who asked (empty if nobody knows)."""
        user: User | None = None
        try:
            user = self._core.authenticator.authenticate(request)
            response = self._respond(request, user)
        except errors.ApiError as error:
            response = answer(error.code, error.body())
            response.headers |= error.headers
        return response, user.name if user else ""

    def _respond(self, request: Request, user: User) -> Response:
        target = target_of(request)
        if target is None:
            self._core.authorizer.require_path(user, request.path, request.method.lower())
            return self._plain(request)
        resource = self._core.registry.find(target.group, target.version, target.plural)
        self._violations += violations_of(request, user.name, is_custom=bool(resource and resource.is_custom))
        self._core.authorizer.require(user, target)
        if resource is None:
            if not self._core.registry.is_built_in(target.group):
                return _no_page()
            raise errors.no_such_resource()
        call = Call(self._core, request, user, target, resource)
        response = _function(target, resource)(call)
        if call.warnings:
            response.headers["Warning"] = ", ".join(f"299 - {_quoted(text)}" for text in call.warnings)
        return response

    def _plain(self, request: Request) -> Response:
        if request.path == "/version":
            return answer(200, version_info(self.git_version))
        if request.path in HEALTH:
            return Response(200, b"ok", "text/plain; charset=utf-8")
        found = discover(request.path, self._core.registry)
        if found is None:
            return _no_page()
        return answer(200, found)


def _no_page() -> Response:
    return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _function(target: Target, resource: Resource) -> Callable[[Call], Response]:
    """Return what does this verb to this kind. Raises ApiError 404, 405."""
    if resource in REVIEWS:
        if target.verb != "create":
            raise errors.method_not_allowed()
        return reviews.review
    if target.subresource:
        return _subresource(target, resource)
    function = VERBS.get(target.verb)
    is_named = target.verb == "create" and target.name and not resource.is_custom  # custom kinds do not mind
    is_nameless = target.verb in {"update", "patch"} and not target.name
    if function is None or is_named or is_nameless:
        raise errors.method_not_allowed()
    return function


def _subresource(target: Target, resource: Resource) -> Callable[[Call], Response]:
    if (resource.key, target.subresource) == ("serviceaccounts", "token"):
        if target.verb != "create":
            raise errors.method_not_allowed()
        return reviews.token_request
    if (resource.key, target.subresource) in PROXIES:
        return proxying.proxy
    if target.subresource != "status" or not resource.has_status:
        raise errors.no_such_resource()
    if target.verb not in {"get", "update", "patch"}:
        raise errors.method_not_allowed()
    return VERBS[target.verb]
