"""Rows of a change: what is wanted (change), what was approved (plan), what is done (run)."""

from traffic.models.change import Change, ChangeNumber, ChangeTarget, IdempotencyKey, Revision
from traffic.models.plan import Plan, PlanTarget, Vote
from traffic.models.run import Attempt, AttemptOutcome, Lease, Rollout, TargetStep
from traffic.models.snooze import Snooze
from traffic.models.viewed import ViewedTarget

__all__ = [
    "Attempt",
    "AttemptOutcome",
    "Change",
    "ChangeNumber",
    "ChangeTarget",
    "IdempotencyKey",
    "Lease",
    "Plan",
    "PlanTarget",
    "Revision",
    "Rollout",
    "Snooze",
    "TargetStep",
    "ViewedTarget",
    "Vote",
]
