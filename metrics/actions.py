"""Audit actions of metrics and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {"metrics.source.set": "MET.SOURCE"}
