"""The aggregate: one intent over n targets, its revisions, its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, models

from audit.types import About, ChangeRef, TargetRef
from clusters.clients import ObjectRef, Resource
from clusters.models import Cluster
from meshes.models import Route as StoredRoute
from meshes.types import Route
from meshui.lib.ids import new_id
from meshui.lib.leases import LeasedRow
from meshui.lib.rights import Place, ScopeColumns
from traffic.types import State

if TYPE_CHECKING:
    from uuid import UUID


class ChangeNumber(models.Model):
    """Hands out the numbers people use: #1482. A number that was taken and rolled back leaves a gap."""

    class Meta:
        verbose_name = "change number"

    def __str__(self) -> str:
        return f"#{self.pk}"


class ChangeQuerySet(models.QuerySet["Change"]):
    """Change requests."""

    def locked(self, change_id: UUID) -> Change:
        """The row, locked for this transaction (SQLite: the transaction itself is the lock). Raises DoesNotExist."""
        rows = self.select_for_update(of=("self",)) if connection.features.has_select_for_update_of else self
        return rows.select_related("author", "current_revision", "current_plan").get(pk=change_id)


class Change(LeasedRow):
    """One intent over n targets. `state` moves only in traffic/transitions.py; `version` grows with each move."""

    SCOPE = ScopeColumns(
        every="targets",
        environment="cluster__environment",
        cluster="cluster__slug",
        mesh="mesh_kind",
        namespace="namespace",
        service="service",
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.PositiveBigIntegerField(unique=True)
    kind = models.CharField(max_length=12, default="route", choices=[("route", "Route"), ("rollback", "Rollback")])
    mode = models.CharField(max_length=8, default="own")
    state = models.CharField(max_length=16, default=State.DRAFT, choices=[(s.value, s.name) for s in State])
    state_cause = models.CharField(max_length=2000, blank=True, default="")
    state_changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=200)
    reason = models.CharField(max_length=4000)
    ticket = models.CharField(max_length=100, blank=True, default="")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="changes")
    author_name = models.CharField(max_length=150)
    has_writes = models.BooleanField(default=False)
    restores = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="restored_by")
    current_revision = models.ForeignKey("Revision", null=True, on_delete=models.PROTECT, related_name="+")
    current_plan = models.ForeignKey("Plan", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        indexes = [models.Index(fields=["state", "-number"], name="change_state")]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"

    @property
    def etag(self) -> str:
        """`"<version>-<digest>"` (change-control §4.6); nothing after the dash while there is no plan."""
        return f'"{self.version}-{self.current_plan.digest if self.current_plan else ""}"'

    @property
    def places(self) -> list[Place]:
        """Where the targets are; two queries unless prefetched."""
        return [target.place for target in self.targets.all()]

    def to_audit(self) -> About:
        """Names as values."""
        return About(
            kind="change",
            id=str(self.pk),
            name=str(self),
            change=self.to_ref(),
            targets=tuple(target.to_audit_target() for target in self.targets.all()),
        )

    def to_ref(self, *, step: str = "", fence: int = 0) -> ChangeRef:
        """The change as events name it."""
        return ChangeRef(
            id=str(self.pk),
            number=self.number,
            revision=self.current_revision.number if self.current_revision else 0,
            plan_digest=self.current_plan.digest if self.current_plan else "",
            step=step,
            fence=fence,
        )


class IdempotencyKey(models.Model):
    """A request of the API that may be sent twice: hashes of its sender with the key, and of what was asked.

    `number` is the change that it led to; a row without one is never committed.
    """

    key_hash = models.CharField(max_length=64, primary_key=True)
    body_hash = models.CharField(max_length=64)
    number = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"key of #{self.number}"


class Revision(models.Model):
    """What is wanted, never changed: a neutral Route and the targets it goes to.

    `desired` is Route.to_json(). `targets` lists {cluster, mesh, object, action, route?, desired?}: a target's own
    `desired` wins (another mesh names the same backends otherwise; a rollback restores what each cluster had).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    desired = models.JSONField()
    targets = models.JSONField()
    intent_hash = models.CharField(max_length=64)
    editor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    editor_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change", "number"], name="revision_number")]

    def __str__(self) -> str:
        return f"revision {self.number}"

    @property
    def route(self) -> Route:
        """The desired Route."""
        return Route.from_json(self.desired)


class ChangeTarget(models.Model):
    """One route of one cluster that the current revision goes to; replaced when an edit names others.

    `route` None: it is not there yet (`action` start). The object named is the route's own, never a companion.
    """

    SCOPE = ScopeColumns(
        environment="cluster__environment",
        cluster="cluster__slug",
        mesh="mesh_kind",
        namespace="namespace",
        service="service",
    )

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="targets")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    route = models.ForeignKey(StoredRoute, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=8, default="set")
    mesh_kind = models.CharField(max_length=20)
    group = models.CharField(max_length=253, blank=True)
    api_version = models.CharField(max_length=30)
    plural = models.CharField(max_length=63)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    service = models.CharField(max_length=253)

    class Meta:
        ordering = ["cluster__slug", "namespace", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["change", "cluster", "group", "kind", "namespace", "name"], name="change_target"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ref} in {self.cluster.slug}"

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return ObjectRef(Resource(self.group, self.api_version, self.plural, self.kind), self.namespace, self.name)

    @property
    def place(self) -> Place:
        """Where it is, for scopes."""
        return Place(
            environment=self.cluster.environment,
            mesh=self.mesh_kind,
            cluster=self.cluster.slug,
            namespace=self.namespace,
            service=self.service,
        )

    def to_audit_target(self) -> TargetRef:
        """Names as values."""
        return TargetRef(
            cluster_id=str(self.cluster_id),
            cluster=self.cluster.slug,
            env=self.cluster.environment,
            mesh=self.mesh_kind,
            cluster_uid=self.cluster.identity_uid,
            gvk=self.ref.resource.gvk,
            ns=self.namespace,
            name=self.name,
        )
