"""What people approve: a plan with one digest, and their votes on it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from clusters.clients import ObjectRef, Resource
from clusters.models import Cluster
from meshui.lib.ids import new_id
from traffic.models.change import Change, ChangeTarget, Revision


class Plan(models.Model):
    """One dry run of one revision against every target, never changed. `digest` is what people approve.

    `content` is the canonical text that the digest covers (empty when the plan is not sound); `findings` are the
    checks that spoke; `rules` the approvals it needs, frozen.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="plans")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="plans")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, blank=True, default="")
    content = models.TextField(blank=True, default="")
    is_sound = models.BooleanField()
    findings = models.JSONField(default=list)
    policy = models.CharField(max_length=100)
    rules = models.JSONField(default=list)
    product_version = models.CharField(max_length=40)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["revision", "number"], name="plan_number")]

    def __str__(self) -> str:
        return f"plan {self.digest[:7] or 'without digest'}"


class PlanTarget(models.Model):
    """One object of a target: what it is now, what it would be, and the very write that makes it so.

    A target whose split starts or ends has several, written in the order of `position` (the companions of a create come
    first, of a delete last). `snapshot` is the object as read (with uid and resourceVersion, without managedFields;
    None: there is none); `expected` as the server's dry run answered (None: a delete); `operations` the spec part
    of a patch, `body` all of a create. Hashes as in change-control §4.3; empty: no object.
    """

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="targets")
    target = models.ForeignKey(ChangeTarget, null=True, on_delete=models.SET_NULL, related_name="+")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    mesh_kind = models.CharField(max_length=20)
    group = models.CharField(max_length=253, blank=True)
    api_version = models.CharField(max_length=30)
    plural = models.CharField(max_length=63)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    position = models.PositiveSmallIntegerField(default=0)
    op = models.CharField(max_length=8, default="patch")
    body = models.JSONField(null=True)
    cluster_uid = models.CharField(max_length=64, blank=True)
    ca_fingerprint = models.CharField(max_length=64, blank=True)
    uid = models.CharField(max_length=64, blank=True)
    generation = models.BigIntegerField(default=0)
    resource_version = models.CharField(max_length=64, blank=True)
    managers = models.JSONField(default=list)
    owner_class = models.CharField(max_length=20, default="unknown")
    snapshot = models.JSONField(null=True)
    desired_route = models.JSONField(null=True)
    live_route = models.JSONField(null=True)
    expected = models.JSONField(null=True)
    operations = models.JSONField(default=list)
    base_hash = models.CharField(max_length=64, blank=True)
    desired_hash = models.CharField(max_length=64, blank=True)
    expected_hash = models.CharField(max_length=64, blank=True)
    losses = models.JSONField(default=list)
    quantisation_error_bp = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=2100, blank=True, default="")
    error_code = models.CharField(max_length=30, blank=True, default="")

    class Meta:
        ordering = ["cluster__slug", "target", "position", "namespace", "name"]

    def __str__(self) -> str:
        return f"{self.ref} in {self.cluster.slug}"

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return ObjectRef(Resource(self.group, self.api_version, self.plural, self.kind), self.namespace, self.name)


class Vote(models.Model):
    """One person's word on one plan. Never edited: revoked by its voter, or voided with a cause, once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="votes")
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="votes")
    voter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="votes")
    voter_name = models.CharField(max_length=150)
    decision = models.CharField(max_length=8, choices=[("approve", "Approve"), ("deny", "Deny")])
    digest = models.CharField(max_length=64)
    auth_methods = models.JSONField(default=list)
    session_hash = models.CharField(max_length=64, blank=True)
    comment = models.CharField(max_length=4000, blank=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    void_cause = models.CharField(max_length=2000, blank=True, default="")

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "voter"], condition=models.Q(revoked_at__isnull=True), name="one_vote_a_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.decision} by {self.voter_name}"

    @property
    def is_standing(self) -> bool:
        """Neither revoked nor voided."""
        return self.revoked_at is None and self.voided_at is None
