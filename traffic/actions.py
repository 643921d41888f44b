"""Audit actions of traffic and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {
    "traffic.change.proposed": "CHG.PROPOSE",
    "traffic.change.edited": "CHG.EDIT",
    "traffic.change.plan_started": "CHG.PLAN_START",
    "traffic.change.planned": "CHG.PLAN",
    "traffic.change.plan_failed": "CHG.PLAN_FAIL",
    "traffic.change.submitted": "CHG.SUBMIT",
    "traffic.change.approved": "CHG.APPROVE",
    "traffic.change.rejected": "CHG.REJECT",
    "traffic.change.invalidated": "CHG.INVALIDATE",
    "traffic.change.queued": "CHG.QUEUE",
    "traffic.change.started": "CHG.START",
    "traffic.change.waited": "CHG.WAIT",
    "traffic.change.paused": "CHG.PAUSE",
    "traffic.change.resumed": "CHG.RESUME",
    "traffic.change.rollback_started": "CHG.ROLLBACK_START",
    "traffic.change.applied": "CHG.APPLY",
    "traffic.change.rolled_back": "CHG.ROLLBACK",
    "traffic.change.failed": "CHG.FAIL",
    "traffic.vote.cast": "VOTE.CAST",
    "traffic.vote.revoked": "VOTE.REVOKE",
    "traffic.vote.voided": "VOTE.VOID",
    "traffic.rollout.created": "RUN.CREATE",
    "traffic.write.intended": "WRITE.INTEND",
    "traffic.write.settled": "WRITE.SETTLE",
    "traffic.step.preflight": "STEP.PREFLIGHT",
    "traffic.step.accepted": "STEP.ACCEPT",
    "traffic.step.verified": "STEP.VERIFY",
    "traffic.step.conflicted": "STEP.CONFLICT",
    "traffic.step.unknown": "STEP.UNKNOWN",
    "traffic.step.unreachable": "STEP.UNREACHABLE",
    "traffic.step.failed": "STEP.FAIL",
    "traffic.step.skipped": "STEP.SKIP",
    "traffic.step.retried": "STEP.RETRY",
    "traffic.step.reverted": "STEP.REVERT",
    "traffic.step.rollback_conflicted": "STEP.ROLLBACK_CONFLICT",
}
