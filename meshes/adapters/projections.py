"""The hash of what decides routing in an object: one form for every adapter. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import Problem, UnreadableRouteError
from meshes.types import Projection
from meshui.lib.canonical import NotCanonicalError, canonical

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject


def projection(content: JsonObject, body: JsonObject) -> Projection:
    """The projection `content` of `body`, hashed with its uid and without. Raises UnreadableRouteError."""
    uid = str(cast("dict[str, Any]", body.get("metadata") or {}).get("uid") or "")
    try:
        text = canonical(content)
        alone, whole = b'{"content":%b}' % text, b'{"content":%b,"uid":%b}' % (text, canonical(uid))
        return Projection(content, hashlib.sha256(whole).hexdigest(), hashlib.sha256(alone).hexdigest())
    except NotCanonicalError as error:
        raise UnreadableRouteError([Problem("spec", f"It cannot be compared exactly: {error}.")]) from error
