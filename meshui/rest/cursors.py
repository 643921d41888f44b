"""Where the next page of a list begins: only what was given comes back, for the list and order it was given for."""

from __future__ import annotations

from typing import Final

from django.core import signing

from meshui.rest.reading import BadQueryError

UNREADABLE: Final = "This cursor cannot be read: take `next` as it was given."


def signed_cursor(name: str, cursor: str) -> str:
    """The cursor of the list `name` as it goes out; empty: there is no next page."""
    return _signer(name).sign(cursor) if cursor else ""


def read_cursor(name: str, text: str) -> str:
    """The cursor that signed_cursor gave for the list `name`. Raises BadQueryError for any other text."""
    if not text:
        return ""
    try:
        return _signer(name).unsign(text)
    except (signing.BadSignature, UnicodeError) as error:
        raise BadQueryError({"cursor": [UNREADABLE]}) from error


def _signer(name: str) -> signing.Signer:
    return signing.Signer(salt=f"meshui.rest.cursors:{name}", sep=".")
