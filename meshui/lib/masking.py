"""Secrets inside routes (header values, inline keys, passwords in URLs) never reach a row, a page, history or a log.

A masked value is `masked·hmac:<8 hex>`, keyed per installation: that it moved is still seen, what it is never.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec
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
HINTS = (b"authorization", b"cookie", b"token", b"secret", b"password", b'key"', b'key\\n"', b"apikey", b"jwks", b"@")
"""In lower case, of which one stands in every JSON that SECRET_NAME or URL_PASSWORD finds something in."""
ENCODER = msgspec.json.Encoder(order="sorted")


def masked_json(value: object) -> bytes:
    """`masked_body` of what can be encoded, as JSON with its keys in order.

    Where no word stands that could name a secret, nothing has to be looked at.
    """
    data = ENCODER.encode(value)
    low = data.lower()
    if data.isascii() and not any(hint in low for hint in HINTS):
        return data
    return ENCODER.encode(masked_body(msgspec.json.decode(data)))


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
