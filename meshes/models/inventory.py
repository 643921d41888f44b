"""The inventory: what was last read of every cluster. Absent = `gone_at`, never deleted; a new uid is a new row."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models

from clusters.clients import ObjectRef, Resource
from clusters.models import Cluster
from meshes.types import LiveRoute
from meshes.types import Route as NeutralRoute
from meshui.lib.ids import new_id
from meshui.lib.rights import ScopeColumns

CONNECTION: Final = "connection"
"""The kind of the Sync row that says why a reading could not even begin."""
WATCHING: Final = ":watch:"
"""Stands in the name of a lease's owner that does not read a cluster now and then, but watches it."""
SERVED: Final = "apis"
"""The kind of the Sync row that says which API groups the cluster serves."""


class ReadRow(models.Model):
    """A row that a sync keeps: `content_hash` tells whether it must be written at all."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    content_hash = models.CharField(max_length=64)
    read_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Mesh(ReadRow):
    """One installation as one cluster shows it. `trust_root`: SHA-256 of its root certificates, hex; else empty.

    `root_ends_at`: when the first of these certificates ends; None: not known.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", mesh="kind"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="meshes")
    kind = models.CharField(max_length=20)
    trust_domain = models.CharField(max_length=253)
    trust_root = models.CharField(max_length=64, blank=True, default="")
    root_ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "kind", "trust_domain"], name="mesh_of_cluster")]

    def __str__(self) -> str:
        return f"{self.kind} {self.trust_domain}"


class ControlPlane(ReadRow):
    """One control plane: a revision in a namespace. `tags`: other names that namespaces call it by."""

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", mesh="mesh__kind", namespace="namespace"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="control_planes")
    mesh = models.ForeignKey(Mesh, on_delete=models.CASCADE, related_name="control_planes")
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    revision = models.CharField(max_length=63)
    tags = models.JSONField(default=list)
    version = models.CharField(max_length=100)
    is_ready = models.BooleanField()

    class Meta:
        ordering = ["namespace", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "namespace", "name"], name="control_plane")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Namespace(ReadRow):
    """A namespace: whether new pods there get a proxy, of which mesh and revision, and which label says so."""

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", namespace="name"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="namespaces")
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    injection = models.CharField(max_length=12, default="none")
    injection_reason = models.CharField(max_length=200, blank=True)
    injected_by = models.CharField(max_length=20, blank=True, default="")
    revision = models.CharField(max_length=63, blank=True, default="")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="namespace_uid")]
        indexes = [models.Index(fields=["cluster", "name"], name="namespace_in_cluster")]

    def __str__(self) -> str:
        return self.name


class Service(ReadRow):
    """A Service of Kubernetes."""

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", namespace="namespace", service="name"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="services")
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    ports = models.JSONField(default=list)
    selector = models.JSONField(default=dict)

    class Meta:
        ordering = ["namespace", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="service_uid")]
        indexes = [
            models.Index(fields=["namespace", "name"], name="service_name"),
            models.Index(fields=["cluster", "name"], name="service_in_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Workload(ReadRow):
    """A Deployment, StatefulSet or DaemonSet: the labels of its pods and how many of them are ready."""

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", namespace="namespace"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="workloads")
    kind = models.CharField(max_length=20)
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    labels = models.JSONField(default=dict)
    injection = models.CharField(max_length=12, blank=True, default="")
    version = models.CharField(max_length=100, blank=True, default="")
    replicas = models.PositiveIntegerField(default=0)
    ready = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["namespace", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="workload_uid")]
        indexes = [
            models.Index(fields=["cluster", "namespace"], name="workload_namespace"),
            models.Index(fields=["cluster", "name"], name="workload_in_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Route(ReadRow):
    """What decides where the requests of one root service go in one cluster: neutral, and native as read (masked)."""

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment",
        cluster="cluster__slug",
        mesh="mesh_kind",
        namespace="namespace",
        service="root_service",
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="routes")
    mesh_kind = models.CharField(max_length=20)
    group = models.CharField(max_length=253)
    version = models.CharField(max_length=30)
    plural = models.CharField(max_length=63)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    root_service = models.CharField(max_length=253)
    root_namespace = models.CharField(max_length=253)
    neutral = models.JSONField(null=True)
    body = models.JSONField()
    problems = models.JSONField(default=list)
    projection_hash = models.CharField(max_length=64, blank=True)
    resource_version = models.CharField(max_length=64)
    generation = models.BigIntegerField(default=0)
    is_split = models.BooleanField(default=False)

    class Meta:
        ordering = ["cluster__slug", "namespace", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="route_uid")]
        indexes = [
            models.Index(fields=["root_namespace", "root_service"], name="route_root"),
            models.Index(fields=["cluster", "name"], name="route_in_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def ref(self) -> ObjectRef:
        """The native object."""
        return ObjectRef(Resource(self.group, self.version, self.plural, self.kind), self.namespace, self.name)

    @property
    def route(self) -> NeutralRoute | None:
        """The neutral reading; None where the model has no words for it."""
        return NeutralRoute.from_json(self.neutral) if self.neutral else None

    @property
    def live(self) -> LiveRoute | None:
        """As it was last read."""
        route = self.route
        return LiveRoute(route, self.ref, self.body) if route else None


class RouteBackend(models.Model):
    """One backend of one rule, for lists and filters; written with its route."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="backends")
    rule = models.CharField(max_length=253)
    position = models.PositiveIntegerField()
    key = models.CharField(max_length=600)
    name = models.CharField(max_length=253)
    weight_bp = models.PositiveIntegerField()
    native_weight = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering = ["route", "position"]

    def __str__(self) -> str:
        return f"{self.name} {self.weight_bp} bp"


class Sync(models.Model):
    """The last reading of one kind in one cluster: a row per cluster and kind. `error` empty = it went well.

    `found`: of SERVED the group/versions that the API serves; else nothing. `watched_since`: a watch has kept it up
    to date since then, as long as the cluster's lease holds; None, with `watch_error` where it was tried: read at
    intervals.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(environment="cluster__environment", cluster="cluster__slug")

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="syncs")
    resource = models.CharField(max_length=120)
    resource_version = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField(default=0)
    written = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=2100, blank=True)
    problems = models.JSONField(default=list)
    found = models.JSONField(default=list)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(null=True, blank=True)
    watched_since = models.DateTimeField(null=True, blank=True)
    watch_error = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        ordering = ["resource"]
        constraints = [models.UniqueConstraint(fields=["cluster", "resource"], name="sync_of_kind")]

    def __str__(self) -> str:
        return f"{self.resource} of {self.cluster}"

    @property
    def duration_ms(self) -> int:
        """How long it took; 0 while it is under way."""
        return round((self.finished_at - self.started_at).total_seconds() * 1000) if self.finished_at else 0


class BackendVersion(models.Model):
    """A correction by hand: which version a backend of one service is in one cluster, who said so, when and why."""

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", namespace="namespace", service="service"
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="backend_versions")
    namespace = models.CharField(max_length=253)
    service = models.CharField(max_length=253)
    backend_key = models.CharField(max_length=600)
    version = models.CharField(max_length=63)
    reason = models.CharField(max_length=500)
    corrected_at = models.DateTimeField()
    corrected_by_name = models.CharField(max_length=150)

    class Meta:
        ordering = ["namespace", "service", "backend_key"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "namespace", "service", "backend_key"], name="backend_version_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.backend_key} is {self.version}"


class ServiceLink(models.Model):
    """A service of one cluster that does not stand in the row of its own name: who said so, when and why.

    It is shown under `to_namespace`/`to_name`; without them (`is_apart`) it is not the same service and has a row of
    its own.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", namespace="namespace", service="name"
    )

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="service_links")
    namespace = models.CharField(max_length=253)
    name = models.CharField(max_length=253)
    to_namespace = models.CharField(max_length=253, blank=True, default="")
    to_name = models.CharField(max_length=253, blank=True, default="")
    reason = models.CharField(max_length=500)
    linked_at = models.DateTimeField()
    linked_by_name = models.CharField(max_length=150)

    class Meta:
        ordering = ["cluster__slug", "namespace", "name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "namespace", "name"], name="service_link_once"),
            models.UniqueConstraint(
                fields=["cluster", "to_namespace", "to_name"],
                condition=~models.Q(to_name=""),
                name="service_link_target_once",
            ),
        ]
        indexes = [models.Index(fields=["to_namespace", "to_name"], name="service_link_target")]

    def __str__(self) -> str:
        what = "stands apart" if self.is_apart else f"is shown as {self.to_namespace}/{self.to_name}"
        return f"{self.namespace}/{self.name} {what}"

    @property
    def is_apart(self) -> bool:
        """Whether it is not the same service as those of its name elsewhere."""
        return not self.to_name
