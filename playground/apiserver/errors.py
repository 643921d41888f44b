"""Errors in the words of a real API server: code, reason, message, details."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.resources import Resource

GENERIC_NOT_FOUND = "the server could not find the requested resource"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
PRECONDITIONS = {
    "uid": ("UID", "The object might have been deleted and then recreated"),
    "resourceVersion": ("ResourceVersion", "The object might have been modified"),
}
EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class ApiError(Exception):
    """A request is refused; `body()` is the Status object that says so."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        """Keep what the Status needs; `headers` and `metadata` may be filled in afterwards."""
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}
        self.metadata: Json = {}

    def body(self) -> Json:
        """Return the Status object."""
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field: `text` is what stands behind `field: ` in the message."""

    field: str
    text: str
    cause: str = "FieldValueInvalid"

    def __str__(self) -> str:
        """Return the line as the server prints it."""
        return f"{self.field}: {self.text}"


def _details(resource: Resource, name: str, kind: str) -> Json:
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = kind
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """404: there is no such object."""
    details = _details(resource, name, resource.plural)
    return ApiError(404, "NotFound", f'{resource.key} "{name}" not found', details)


def no_such_resource() -> ApiError:
    """404: there is no such kind of object."""
    return ApiError(404, "NotFound", GENERIC_NOT_FOUND, {})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409: the name is taken."""
    details = _details(resource, name, resource.plural)
    return ApiError(409, "AlreadyExists", f'{resource.key} "{name}" already exists', details)


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> ApiError:
    """409: the object is not the one the caller has seen."""
    details = _details(resource, name, resource.plural)
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {resource.key} "{name}": {why}', details)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403: known, and not allowed."""
    subject = f'{resource.key} "{name}"' if name else resource.key
    details = _details(resource, name, resource.plural)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def unauthorized() -> ApiError:
    """401: nobody we know."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def invalid(resource: Resource, name: str, faults: Sequence[FieldError]) -> ApiError:
    """422: understood, and wrong; one cause per fault."""
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    lines = list(dict.fromkeys(str(fault) for fault in faults))
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    details = _details(resource, name, resource.kind)
    details["causes"] = [{"reason": fault.cause, "message": fault.text, "field": fault.field} for fault in faults]
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {text}', details)


def invalid_patch() -> ApiError:
    """422: a JSON Patch cannot be applied, its `test` included; the real server keeps the reason to itself."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def invalid_result(document: Json, why: str) -> ApiError:
    """422: a patch can be applied, and what comes out is no object."""
    fault = FieldError("patch", f"Invalid value: {json.dumps(json.dumps(document, separators=(',', ':')))}: {why}")
    causes = [{"reason": fault.cause, "message": fault.text, "field": fault.field}]
    return ApiError(422, "Invalid", f' "" is invalid: {fault}', {"causes": causes})


def changed(resource: Resource, name: str, precondition: str, wanted: str, found: str) -> ApiError:
    """409: a precondition of a delete does not hold; here the real server names the kind, not the plural."""
    what, hint = PRECONDITIONS[precondition]
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    text = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). {hint}"
    message = f'Operation cannot be fulfilled on {subject} "{name}": {text}'
    return ApiError(409, "Conflict", message, _details(resource, name, resource.kind))


def method_not_allowed() -> ApiError:
    """405: the kind exists and does not do this."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: a body of this type is not read here."""
    known = ", ".join(accepted)
    text = f"the body of the request was in an unknown format - accepted media types include: {known}"
    return ApiError(415, "UnsupportedMediaType", text, {})


def expired_version(wanted: int, oldest: int) -> ApiError:
    """410: the history no longer reaches back that far."""
    return ApiError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def expired_continue(token: str) -> ApiError:
    """410: a continue token whose snapshot is gone; `token` leads on through the list as it is now."""
    error = ApiError(410, "Expired", EXPIRED_CONTINUE)
    error.metadata = {"continue": token} if token else {}
    return error


def unavailable(message: str) -> ApiError:
    """503: what the server was asked to reach does not answer."""
    return ApiError(503, "ServiceUnavailable", message)


def internal(message: str) -> ApiError:
    """500: the server or a webhook it must ask is broken."""
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details)
