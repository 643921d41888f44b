"""Audit actions of the log itself and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {
    "audit.log.read": "LOG.READ",
    "audit.log.verified": "LOG.VERIFY",
    "audit.log.check_requested": "LOG.CHECK_REQUEST",
}
