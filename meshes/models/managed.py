"""The routes that MeshUI wrote: how it left each of them, and whether the last reading found it so."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from audit.types import About, TargetRef
from clusters.clients import ObjectRef, Resource
from clusters.models import Cluster
from meshes.models.inventory import Route
from meshui.lib.ids import new_id
from meshui.lib.rights import Place, ScopeColumns


class Drift(models.TextChoices):
    """How a route is other than MeshUI left it."""

    NONE = "", "As it was left"
    CHANGED = "changed", "Changed outside of MeshUI"
    GONE = "gone", "Deleted outside of MeshUI"
    MADE = "made", "Made again outside of MeshUI"


class ManagedRoute(models.Model):
    """One native route object as the last write of MeshUI left it. A row for each object by name, whoever made it.

    `body` is masked, None where MeshUI deleted it; `left_hash` is of its projection, empty then. `route` is what the
    last reading found by its name, `seen_hash` what it read as when it was judged, `drifted_at` when it was first found
    to be otherwise. `is_writing`: a send is on its way, so nobody judges. `is_told`: history knows it.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment",
        cluster="cluster__slug",
        mesh="mesh_kind",
        namespace="namespace",
        service="root_service",
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="managed_routes")
    mesh_kind = models.CharField(max_length=20)
    group = models.CharField(max_length=253, blank=True)
    version = models.CharField(max_length=30)
    plural = models.CharField(max_length=63)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    generation = models.BigIntegerField(default=0)
    root_service = models.CharField(max_length=253)
    root_namespace = models.CharField(max_length=253)
    body = models.JSONField(null=True)
    left_hash = models.CharField(max_length=64, blank=True)
    change_number = models.PositiveBigIntegerField()
    written_at = models.DateTimeField()
    is_writing = models.BooleanField(default=False)
    route = models.ForeignKey(Route, null=True, on_delete=models.SET_NULL, related_name="+")
    drift = models.CharField(max_length=8, choices=Drift, blank=True, default=Drift.NONE)
    drifted_at = models.DateTimeField(null=True)
    seen_hash = models.CharField(max_length=64, blank=True, default="")
    is_told = models.BooleanField(default=True)

    class Meta:
        ordering = ["cluster__slug", "namespace", "name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "namespace", "name", "group", "kind"], name="managed_route_once")
        ]
        indexes = [
            models.Index(fields=["root_namespace", "root_service"], name="managed_route_root"),
            models.Index(fields=["-drifted_at"], condition=~models.Q(drift=""), name="managed_route_drifted"),
            models.Index(fields=["id"], condition=models.Q(is_told=False), name="managed_route_untold"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def ref(self) -> ObjectRef:
        """The native object."""
        return ObjectRef(Resource(self.group, self.version, self.plural, self.kind), self.namespace, self.name)

    @property
    def place(self) -> Place:
        """Where it is, for scopes."""
        return Place(
            environment=self.cluster.environment,
            mesh=self.mesh_kind,
            cluster=self.cluster.slug,
            namespace=self.namespace,
            service=self.root_service,
        )

    def to_audit(self) -> About:
        """Names as values."""
        cluster = self.cluster
        target = TargetRef(
            cluster_id=str(cluster.pk),
            cluster=cluster.slug,
            env=cluster.environment,
            mesh=self.mesh_kind,
            cluster_uid=cluster.identity_uid,
            gvk=self.ref.resource.gvk,
            ns=self.namespace,
            name=self.name,
            uid=self.uid,
        )
        return About(kind="route", id=str(self.pk), name=f"{self} in {cluster.slug}", targets=(target,))
