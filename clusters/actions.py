"""Audit actions of clusters and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {
    "clusters.cluster.added": "CLS.ADD",
    "clusters.cluster.removed": "CLS.REMOVE",
    "clusters.address.refused": "CLS.ADDRESS_REFUSED",
    "clusters.cluster.checked": "CLS.CHECK",
    "clusters.check.requested": "CLS.CHECK_REQUEST",
    "clusters.credential.replaced": "CLS.CREDENTIAL",
    "clusters.credentials.rotated": "CLS.ROTATE",
    "clusters.writes.allowed": "CLS.WRITES_ALLOW",
    "clusters.writes.forbidden": "CLS.WRITES_FORBID",
    "clusters.identity.changed": "CLS.IDENTITY",
    "clusters.identity.adopted": "CLS.IDENTITY_ADOPT",
    "clusters.namespaces.set": "CLS.NAMESPACES",
}
