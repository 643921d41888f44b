"""What is done: the run of a change, the lease on each target, the steps and every send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from clusters.models import Cluster
from meshui.lib.ids import new_id
from meshui.lib.leases import LeasedRow
from traffic.models.change import Change
from traffic.models.plan import Plan, PlanTarget
from traffic.types import StepState

if TYPE_CHECKING:
    from clusters.clients import ObjectRef


class Rollout(LeasedRow):
    """The run of a change: without waves one wave, one step, no bake. `next_action_at` says when to look again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    change = models.OneToOneField(Change, on_delete=models.PROTECT, related_name="rollout")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    phase = models.CharField(max_length=12, default="PENDING")
    phase_cause = models.CharField(max_length=2000, blank=True, default="")
    executor_name = models.CharField(max_length=150)
    executor_id = models.CharField(max_length=40)
    next_action_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"run of {self.change}"


class Lease(models.Model):
    """One row a target: `change` reserves it for a whole run, `runner` may act now. The fence is never reset."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    target_key = models.CharField(max_length=600)
    uid = models.CharField(max_length=64, blank=True)
    change = models.ForeignKey(Change, null=True, on_delete=models.PROTECT, related_name="leases")
    runner = models.CharField(max_length=200, blank=True, default="")
    runner_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "target_key"], name="one_lease_a_target")]

    def __str__(self) -> str:
        return f"{self.target_key} fence {self.fence}"


class TargetStep(models.Model):
    """One object of one cluster to be written (apply) or put back (restore). State moves in traffic/transitions.py.

    `snapshot` is the object as read when this change first started on it: what "previous" means; None: there was none.
    `op` is what this step does (a restore does the inverse); `body` all of a create. A step waits for those of its
    target in its cluster that come before it (apply: by position, restore: the other way round).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="steps")
    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="steps")
    plan_target = models.ForeignKey(PlanTarget, on_delete=models.PROTECT, related_name="+")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    direction = models.CharField(max_length=8, default="apply", choices=[("apply", "Apply"), ("restore", "Restore")])
    state = models.CharField(max_length=20, default=StepState.PENDING, choices=[(s.value, s.name) for s in StepState])
    state_changed_at = models.DateTimeField()
    fence = models.BigIntegerField(default=0)
    position = models.PositiveSmallIntegerField(default=0)
    op = models.CharField(max_length=8, default="patch")
    snapshot = models.JSONField(null=True)
    body = models.JSONField(null=True)
    operations = models.JSONField(default=list)
    base_hash = models.CharField(max_length=64, blank=True)
    expected_hash = models.CharField(max_length=64, blank=True)
    next_action_at = models.DateTimeField(null=True, blank=True)
    first_failed_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=2100, blank=True, default="")
    conflict = models.JSONField(null=True)
    evidence = models.JSONField(default=dict)

    class Meta:
        ordering = ["cluster__slug", "direction", "position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["rollout", "plan_target", "direction"], name="one_step_a_direction")
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.ref} in {self.cluster.slug}"

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return self.plan_target.ref

    @property
    def target_key(self) -> str:
        """The lease's key: by name, with the uid beside it, so that delete and recreate cannot escape it."""
        return target_key(self.plan_target)


class Attempt(models.Model):
    """The intent of one send, committed before it: append-only."""

    step = models.ForeignKey(TargetStep, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField()
    fence = models.BigIntegerField()
    patch = models.JSONField()
    op = models.CharField(max_length=8, default="patch")
    before_hash = models.CharField(max_length=64, blank=True)
    before_resource_version = models.CharField(max_length=64, blank=True)
    before_generation = models.BigIntegerField(default=0)
    expected_hash = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["step", "number"], name="attempt_number")]

    def __str__(self) -> str:
        return f"attempt {self.number}"


class AttemptOutcome(models.Model):
    """What became of one send, at most once: append-only. No row = the intent is open, which is itself a report."""

    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="outcome")
    outcome = models.CharField(max_length=20)
    message = models.CharField(max_length=2100, blank=True, default="")
    after_hash = models.CharField(max_length=64, blank=True, default="")
    after_resource_version = models.CharField(max_length=64, blank=True, default="")
    after_generation = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.outcome


def target_key(target: PlanTarget) -> str:
    """`networking.istio.io/VirtualService/shop/checkout`."""
    return f"{target.group}/{target.kind}/{target.namespace}/{target.name}"
