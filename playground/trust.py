"""The root certificates of the emulated meshes: clusters of one mesh have the same."""

from __future__ import annotations

import functools
import hashlib

from playground.apiserver.pki import Authority


@functools.cache
def root_certificate(mesh: str) -> str:
    """Return the root certificate (PEM) of a mesh, the same for as long as this process lives."""
    return Authority(mesh).pem.decode()


def fingerprint(mesh: str) -> str:
    """Return the SHA-256 of that text, as Linkerd writes it on its pods."""
    return hashlib.sha256(root_certificate(mesh).encode()).hexdigest()
