"""Certificates and keys of kubeconfigs: what is wrong with them, in words. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

MAX_CERTIFICATES = 20
BLOCKS = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def bundle_fault(pem: str) -> str:
    """Why this is not 1 to 20 PEM certificates and nothing else; empty if it is."""
    blocks = BLOCKS.findall(pem)
    if not 0 < len(blocks) <= MAX_CERTIFICATES:
        return f"holds {len(blocks)} certificates."
    if BLOCKS.sub("", pem).strip():
        return "holds something else than certificates."
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return "holds a certificate that cannot be read."
    return ""


def pair_fault(certificate_pem: str, key_pem: str) -> str:
    """Why certificate and key do not make a usable pair; empty if they do."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        key = load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "cannot be read, or is encrypted."
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return "is neither RSA, EC nor Ed25519."
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        return "is an RSA key of less than 2048 bits."
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        return "does not belong to the certificate."
    return _date_fault(certificate)


def _date_fault(certificate: x509.Certificate) -> str:
    moment = datetime.now(UTC)  # noqa: TID251 - pure: a certificate's dates are the world's, not a test's
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        return "belongs to a certificate that is not in date."
    return ""


def expiry(pem: str) -> datetime | None:
    """The first end of validity in a bundle; None for an empty one. Raises ValueError on what is not PEM."""
    if not pem:
        return None
    return min(certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(pem.encode()))


def fingerprint(pem: str) -> str:
    """SHA-256 over the DER of every certificate in order, hex; of the empty bundle (public roots) the empty text."""
    if not pem:
        return ""
    der = b"".join(c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(pem.encode()))
    return hashlib.sha256(der).hexdigest()
