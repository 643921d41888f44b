"""Credentials at rest: MultiFernet over canonical JSON that names its own row, so that a moved ciphertext is refused.

`Secret` shows nothing by itself; `.reveal()` is allowed in clusters/connect.py and here.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from meshui.lib.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence


HEADER: Final = re.compile(r"[\x21-\x7e]{1,16384}")


class CredentialUnreadableError(Exception):
    """A stored credential that no key opens, or that belongs to another row."""


class Secret:
    """Text that does not show itself: repr and str are dots, pickle and JSON are refused."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text."""
        return self._value

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A credential in memory: a token, a certificate with its key, or the word that it is the pod's own account."""

    token: Secret
    certificate_pem: str
    key_pem: Secret
    ca_pem: str
    skips_tls_verification: bool
    is_in_cluster: bool = False

    def fingerprint(self) -> str:
        """SHA-256 of what identifies the credential, hex: shown, so that people can tell two apart."""
        what = self.token.reveal() or self.certificate_pem or f"in-cluster {self.ca_pem}"
        return hashlib.sha256(what.encode()).hexdigest()


def header_fault(secret: Secret, *, is_pair: bool) -> str:
    """Why this cannot be sent in a header as a token, or as `user:password`; empty if it can."""
    text = secret.reveal()
    if not HEADER.fullmatch(text):
        return "is longer than 16 KiB or holds spaces or other characters."
    return "is not user:password." if is_pair and ":" not in text else ""


def key_id(key: str) -> str:
    """Names a key without telling it: 16 hex of its SHA-256."""
    return hashlib.sha256(b"meshui-key-id" + key.encode()).hexdigest()[:16]


def seal(opened: Opened, *, cluster_id: str, role: str, keys: Sequence[str]) -> bytes:
    """Encrypted with the first key; the plaintext names cluster and role."""
    content = {
        "v": 1,
        "cluster": cluster_id,
        "role": role,
        "credential": {
            "token": opened.token.reveal(),
            "certificate": opened.certificate_pem,
            "key": opened.key_pem.reveal(),
            "ca": opened.ca_pem,
            "skip": opened.skips_tls_verification,
            "in_cluster": opened.is_in_cluster,
        },
    }
    return Fernet(keys[0].encode()).encrypt(canonical(content))


def open_sealed(ciphertext: bytes, *, cluster_id: str, role: str, keys: Sequence[str]) -> Opened:
    """Raises CredentialUnreadableError where no key fits or the row is another one."""
    try:
        plain = MultiFernet([Fernet(key.encode()) for key in keys]).decrypt(bytes(ciphertext))
    except (InvalidToken, ValueError) as error:
        raise CredentialUnreadableError("No key in MESHUI_CREDENTIAL_KEYS opens this credential.") from error
    content = json.loads(plain)
    if (content["cluster"], content["role"]) != (cluster_id, role):
        raise CredentialUnreadableError("This credential belongs to another cluster or role.")
    found = content["credential"]
    return Opened(
        Secret(found["token"]),
        found["certificate"],
        Secret(found["key"]),
        found["ca"],
        skips_tls_verification=bool(found["skip"]),
        is_in_cluster=bool(found.get("in_cluster")),
    )
