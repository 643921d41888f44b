"""Secrets inside routes (header values, inline keys, passwords in URLs) never reach a row, a page, history or a log.

A masked value is `masked·hmac:<8 hex>`, keyed per installation: that it moved is still seen, what it is never.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, TypeVar, cast

from django.conf import settings

if TYPE_CHECKING:
    from meshui.lib.jsontypes import Json


J = TypeVar("J")
SECRET_NAME = re.compile(
    r"^(proxy-)?authorization$|cookie|token|secret|password|(^|[-_])key$|apikey|^jwks$", re.IGNORECASE
)
URL_PASSWORD = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]+(?=@)")
MATCH_WORDS = frozenset({"exact", "prefix", "regex", "value"})
PREFIX = "masked·hmac:"


def masked_body(body: J) -> J:
    """A copy of a native object or route with secret values masked; already masked values stay as they are."""
    return cast("J", _walk(cast("Json", body), in_secret=False))


def _walk(node: Json, *, in_secret: bool) -> Json:
    if isinstance(node, dict):
        named = SECRET_NAME.search(str(node.get("name") or "")) is not None
        return {key: _walk(value, in_secret=_hides(key, value, named, in_secret)) for key, value in node.items()}
    if isinstance(node, list):
        return [_walk(item, in_secret=in_secret) for item in node]
    if isinstance(node, str):
        return _mask(node) if in_secret else URL_PASSWORD.sub(lambda found: _mask(found[0]), node)
    return node


def _hides(key: str, value: Json, named: bool, inherited: bool) -> bool:  # noqa: FBT001 - two facts of the parent
    """Under a secret name everything is hidden; beside `name: authorization` its value is; a present-match has none."""
    if inherited:
        return True
    if named and key in MATCH_WORDS:
        return True
    return SECRET_NAME.search(key) is not None and isinstance(value, str | dict)


def _mask(text: str) -> str:
    if not text or text.startswith(PREFIX):
        return text
    digest = hmac.new(str(settings.SECRET_KEY).encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{PREFIX}{digest[:8]}"
