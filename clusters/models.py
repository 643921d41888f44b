"""Clusters and what opens them."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from audit.types import About, TargetRef
from meshui.lib.ids import new_id
from meshui.lib.leases import LeasedRow
from meshui.lib.rights import Place, ScopeColumns

DNS_LABEL = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "Use lower-case letters, digits and hyphens, at most 63."
)


class Health(models.TextChoices):
    """How a cluster is, as its last check found it."""

    UNKNOWN = "unknown", "Unknown"
    HEALTHY = "healthy", "Healthy"
    DEGRADED = "degraded", "Degraded"
    UNREACHABLE = "unreachable", "Unreachable"
    CREDENTIAL_REJECTED = "credential_rejected", "Credential rejected"
    IDENTITY_CHANGED = "identity_changed", "Identity changed"


class PresentClusters(models.Manager["Cluster"]):
    """Clusters that were not removed: what everybody but history means."""

    def get_queryset(self) -> models.QuerySet[Cluster]:
        """Without the removed ones."""
        return super().get_queryset().filter(removed_at__isnull=True)


class Cluster(LeasedRow):
    """A place with one API that holds mesh configuration. The lease is the sync's.

    `only_namespaces`: what may be read there; empty is all. `failures` in a row and `next_try_at` are its breaker: open
    while `next_try_at` is set. `found_uid` and `found_ca_fingerprint` are who answers where that is not who it was.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(environment="environment", cluster="slug")
    objects = PresentClusters()
    everything: ClassVar[models.Manager[Cluster]] = models.Manager()

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(max_length=63, unique=True, validators=[DNS_LABEL])
    name = models.CharField(max_length=100)
    platform = models.CharField(max_length=20, default="kubernetes")
    environment = models.CharField(max_length=63, validators=[DNS_LABEL])
    server = models.CharField(max_length=300)
    tls_name = models.CharField(max_length=253, blank=True, default="")
    ca_fingerprint = models.CharField(max_length=64, blank=True, default="")
    identity_uid = models.CharField(max_length=64, blank=True, default="")
    server_version = models.CharField(max_length=60, blank=True, default="")
    health = models.CharField(max_length=24, choices=Health, default=Health.UNKNOWN)
    health_reason = models.CharField(max_length=2000, blank=True, default="")
    unreachable_since = models.DateTimeField(null=True, blank=True)
    is_observe_only = models.BooleanField(default=True)
    api_latency_ms = models.PositiveIntegerField(null=True, blank=True)
    is_tls_unverified = models.BooleanField(default=False, db_default=False)
    access = models.JSONField(default=list)
    access_checked_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)
    last_synced_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    next_sync_at = models.DateTimeField(null=True, blank=True)
    only_namespaces = models.JSONField(default=list, blank=True)
    found_uid = models.CharField(max_length=64, blank=True, default="", db_default="")
    found_ca_fingerprint = models.CharField(max_length=64, blank=True, default="", db_default="")
    failures = models.PositiveIntegerField(default=0, db_default=0)
    last_failure = models.CharField(max_length=500, blank=True, default="", db_default="")
    next_try_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def read_namespaces(self) -> tuple[str, ...]:
        """The namespaces that MeshUI reads there; empty: all."""
        return tuple(self.only_namespaces)

    @property
    def is_silent(self) -> bool:
        """Whether its breaker is open: it is probed, and not read."""
        return self.next_try_at is not None

    @property
    def place(self) -> Place:
        """Where it is, for scopes."""
        return Place(environment=self.environment, cluster=self.slug)

    def to_audit(self) -> About:
        """Names as values."""
        target = TargetRef(
            cluster_id=str(self.pk), cluster=self.slug, env=self.environment, cluster_uid=self.identity_uid
        )
        return About(kind="cluster", id=str(self.pk), name=self.slug, targets=(target,))


class Credential(models.Model):
    """What opens a cluster, encrypted: one reader, at most one writer, at most one for its Prometheus (`metrics`)."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="credentials")
    role = models.CharField(max_length=8, choices=[("reader", "Reader"), ("writer", "Writer"), ("metrics", "Metrics")])
    kind = models.CharField(max_length=12)
    key_id = models.CharField(max_length=16)
    ciphertext = models.BinaryField()
    fingerprint = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    created_by_name = models.CharField(max_length=150)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "role"], name="one_credential_a_role")]

    def __str__(self) -> str:
        return f"{self.role} of {self.cluster}"


class Tally(models.Model):
    """How often something was done since a moment: limits that no cache evicts. `bucket` is a hash."""

    bucket = models.CharField(max_length=64, primary_key=True)
    since = models.DateTimeField()
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.count} since {self.since}"
