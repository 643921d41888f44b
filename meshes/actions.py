"""Audit actions of meshes and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {
    "meshes.sync.requested": "SYNC.REQUEST",
}
