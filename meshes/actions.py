"""Audit actions of meshes and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {
    "meshes.sync.requested": "SYNC.REQUEST",
    "meshes.version.corrected": "SVC.VERSION",
    "meshes.version.cleared": "SVC.VERSION_CLEAR",
    "meshes.service.linked": "SVC.LINK",
    "meshes.service.unlinked": "SVC.UNLINK",
    "meshes.service.excluded": "SVC.EXCLUDE",
    "meshes.service.included": "SVC.INCLUDE",
}
