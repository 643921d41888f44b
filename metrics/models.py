"""Where the metrics of a cluster come from, when they are due, who looks at them, the short history that is kept."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from clusters.models import Cluster
from meshes.types import Grain
from meshui.lib.leases import LeasedRow
from meshui.lib.rights import ScopeColumns
from metrics.types import Golden, Name

MOST_PART = 600


class SourceKind(models.TextChoices):
    """How the metrics of a cluster are read."""

    AUTO = "auto", "A Prometheus found in the cluster, else its proxies"
    URL = "url", "A Prometheus by its address"
    SERVICE = "service", "A Prometheus in the cluster"
    PROXIES = "proxies", "The proxies themselves"
    NONE = "none", "Not at all"


class Source(models.Model):
    """What was decided for a cluster; without a row it is AUTO. What opens a URL is its credential `metrics`.

    `namespace`, `service` and `port` are of SERVICE, the rest of URL. `labels`: on every selector that is sent there.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(environment="cluster__environment", cluster="cluster__slug")

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, primary_key=True, related_name="metrics_source")
    kind = models.CharField(max_length=10, choices=SourceKind, default=SourceKind.AUTO)
    url = models.CharField(max_length=300, blank=True, default="")
    auth = models.CharField(max_length=10, blank=True, default="")
    tenant_header = models.CharField(max_length=40, blank=True, default="")
    tenant = models.CharField(max_length=253, blank=True, default="")
    labels = models.JSONField(default=dict, blank=True)
    namespace = models.CharField(max_length=253, blank=True, default="")
    service = models.CharField(max_length=253, blank=True, default="")
    port = models.PositiveIntegerField(default=9090)
    changed_at = models.DateTimeField()
    changed_by_name = models.CharField(max_length=150)

    def __str__(self) -> str:
        return f"metrics of {self.cluster}"


class Collector(LeasedRow):
    """When the metrics of a cluster are due, and how the last round went. The lease is the round's.

    `minute_at`: when the services that nobody looks at are due. `source`: who answered last, in words; `problem`: why
    there is less than there should be. `found_again_at`: until then a Prometheus in the cluster is not tried again.
    `proxies`: ProxyCounts of `proxies_at`, as lists; of services that are measured, where their pods were listed.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(environment="cluster__environment", cluster="cluster__slug")

    cluster = models.OneToOneField(
        Cluster, on_delete=models.CASCADE, primary_key=True, related_name="metrics_collector"
    )
    next_at = models.DateTimeField()
    minute_at = models.DateTimeField()
    source = models.CharField(max_length=200, blank=True, default="")
    problem = models.CharField(max_length=1000, blank=True, default="")
    succeeded_at = models.DateTimeField(null=True, blank=True)
    found_again_at = models.DateTimeField(null=True, blank=True)
    proxies = models.JSONField(default=list, blank=True)
    proxies_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="collector_due")]

    def __str__(self) -> str:
        return f"collector of {self.cluster}"


class Watched(models.Model):
    """A service on somebody's screen or in a running change: it is measured every few seconds until `until`."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="watched_services")
    namespace = models.CharField(max_length=253)
    service = models.CharField(max_length=253)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "namespace", "service"], name="watched_once")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service}"


class ProxyScrape(models.Model):
    """The last scrapes of one proxy, packed (metrics.samples.History); `asked_at`: when it was asked last."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="proxy_scrapes")
    namespace = models.CharField(max_length=253)
    pod = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    asked_at = models.DateTimeField()
    history = models.BinaryField(default=b"")
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "uid"], name="scrape_of_pod")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


class Series(models.Model):
    """What is measured of something, with its latest values; `share` below 1: scaled up from that part of the proxies.

    `part`: empty of a service, a backend's key, or `namespace/workload` of a source. `step`: seconds between two
    measurements now; `at`: of the latest.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", namespace="namespace", service="service"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="metric_series")
    namespace = models.CharField(max_length=253)
    service = models.CharField(max_length=253)
    grain = models.CharField(max_length=8, choices=[(grain.value, grain.value) for grain in Grain])
    part = models.CharField(max_length=MOST_PART, blank=True, default="")
    at = models.DateTimeField()
    step = models.PositiveIntegerField()
    rate = models.FloatField()
    success = models.FloatField(null=True)
    p50_ms = models.FloatField(null=True)
    p95_ms = models.FloatField(null=True)
    p99_ms = models.FloatField(null=True)
    source = models.CharField(max_length=200)
    share = models.FloatField(default=1.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "namespace", "service", "grain", "part"], name="series_once")
        ]
        indexes = [
            models.Index(fields=["grain", "at"], name="series_latest"),
            models.Index(fields=["grain", "success"], name="series_failing"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service} {self.grain} {self.part}".strip()

    @property
    def name(self) -> Name:
        """What it is of."""
        return Name(self.namespace, self.service, Grain(self.grain), self.part)

    @property
    def golden(self) -> Golden:
        """The latest values."""
        return Golden(self.rate, self.success, self.p50_ms, self.p95_ms, self.p99_ms)


class Point(models.Model):
    """One measurement, on a raster of `step` seconds: 15 for two hours, 60 for a day."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    rate = models.FloatField()
    success = models.FloatField(null=True)
    p50_ms = models.FloatField(null=True)
    p95_ms = models.FloatField(null=True)
    p99_ms = models.FloatField(null=True)
    share = models.FloatField(default=1.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "step", "at"], name="point_once")]
        indexes = [models.Index(fields=["step", "at"], name="point_age")]

    def __str__(self) -> str:
        return f"{self.series} at {self.at}"
