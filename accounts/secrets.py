"""The text of API tokens, and what is kept of it: an HMAC under a pepper that stands outside the database."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from django.conf import settings

PREFIX: Final = "meshui_"
FORM: Final = re.compile(r"meshui_([A-Za-z0-9]{12})\.([A-Za-z0-9_-]{43})")
"""`meshui_<key>.<secret>`: the prefix is fixed, so that scanners of secrets find it."""
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
KEY_LENGTH: Final = 12
NOBODY: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token: what is given away once, and what is kept."""

    text: str
    key: str
    pepper: str
    digest: str


def mint() -> Minted:
    """256 random bits behind a random key."""
    key = "".join(secrets.choice(LETTERS) for _ in range(KEY_LENGTH))
    secret = secrets.token_urlsafe(32)
    pepper = settings.TOKEN_PEPPERS[0]
    return Minted(f"{PREFIX}{key}.{secret}", key, id_of(pepper), _digest(pepper, key, secret))


def parted(text: str) -> tuple[str, str] | None:
    """Key and secret of what looks like a token."""
    found = FORM.fullmatch(text)
    return (found[1], found[2]) if found else None


def is_right(key: str, secret: str, *, pepper: str, digest: str) -> bool:
    """Whether `secret` is that of the row. Without a row (`digest` empty) as much work is done, for nothing."""
    known = {id_of(each): each for each in settings.TOKEN_PEPPERS}
    made = _digest(known.get(pepper, settings.TOKEN_PEPPERS[0]), key, secret)
    return hmac.compare_digest(made, digest or NOBODY) and pepper in known


def id_of(pepper: str) -> str:
    """The name of a pepper, which says nothing about it."""
    return hashlib.sha256(f"meshui pepper {pepper}".encode()).hexdigest()[:8]


def _digest(pepper: str, key: str, secret: str) -> str:
    return hmac.new(pepper.encode(), f"{key}.{secret}".encode(), hashlib.sha256).hexdigest()
