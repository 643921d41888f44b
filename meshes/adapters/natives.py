"""What all native objects have in common: metadata, our label, JSON, durations, image tags, certificates. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Any

from cryptography import x509

from meshes.adapters.base import MANAGED_BY
from meshes.types import Version
from meshui.lib.canonical import is_plain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def name_of(body: Mapping[str, Any]) -> str:
    """metadata.name."""
    return str((body.get("metadata") or {}).get("name") or "")


def namespace_of(body: Mapping[str, Any]) -> str:
    """metadata.namespace."""
    return str((body.get("metadata") or {}).get("namespace") or "")


def uid_of(body: Mapping[str, Any]) -> str:
    """metadata.uid."""
    return str((body.get("metadata") or {}).get("uid") or "")


def labels_of(body: Mapping[str, Any]) -> dict[str, str]:
    """metadata.labels."""
    return dict((body.get("metadata") or {}).get("labels") or {})


def annotations_of(body: Mapping[str, Any]) -> dict[str, str]:
    """metadata.annotations."""
    return dict((body.get("metadata") or {}).get("annotations") or {})


def age_of(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Sorts the oldest first, equals by name."""
    created = str((body.get("metadata") or {}).get("creationTimestamp") or "")
    return created, namespace_of(body), name_of(body)


def titled(body: Mapping[str, Any]) -> str:
    """`HTTPRoute shop/web`."""
    return f"{body.get('kind') or 'object'} {namespace_of(body)}/{name_of(body)}"


def is_ours(body: Mapping[str, Any]) -> bool:
    """Whether MeshUI made it: it carries our label."""
    return labels_of(body).get(MANAGED_BY[0]) == MANAGED_BY[1]


def dicts(value: object) -> list[dict[str, Any]]:
    """The objects of a list; what is no list, and what in it is no object, is left out."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def milliseconds(duration: object) -> int | None:
    """`1m30s` → 90000; absent → None."""
    if not duration:
        return None
    return round(sum(float(number) * UNITS[unit] for number, unit in DURATION.findall(str(duration))))


def plain(value: object) -> object:
    """JSON as canonical JSON takes it: 99.5 becomes "99.5", 50.0 the integer 50, and nulls go."""
    return value if is_plain(value) else _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else repr(value)
    return value


def image_version(image: str) -> Version:
    """`registry:5000/release/pilot:1.31.0@sha256:…` → 1.31.0; by digest alone unknown, with the digest as its text."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return Version.parse(tag) if tag else Version(0, 0, 0, digest or image)


def trust_root_of(pem: str) -> str:
    """SHA-256 of the certificates of a bundle, hex; their order and the text around them do not count. Empty: none.

    Of a bundle of one it is the fingerprint that `openssl x509 -fingerprint -sha256` prints.
    """
    try:
        found = {base64.b64decode("".join(block.split()), validate=True) for block in CERTIFICATE.findall(pem)}
    except binascii.Error:
        return ""
    return hashlib.sha256(b"".join(sorted(found))).hexdigest() if found else ""


def first_end_of(pem: str) -> dt.datetime | None:
    """When the first certificate of a bundle ends; None: there is none, or one that cannot be read."""
    blocks = [found.group().encode() for found in CERTIFICATE.finditer(pem)]
    try:
        return min((x509.load_pem_x509_certificate(block).not_valid_after_utc for block in blocks), default=None)
    except ValueError:
        return None
