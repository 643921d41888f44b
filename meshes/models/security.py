"""What connections pods take, as adapters read it of policies: a row for each namespace whose pods a mesh takes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from clusters.models import Cluster
from meshes.models.inventory import ReadRow
from meshui.lib.rights import ScopeColumns


class MtlsMode(ReadRow):
    """One namespace of one mesh.

    `mode`: strict, permissive, disabled, mixed or unknown; `base`: the same of all that no part names. `scope`: mesh,
    namespace or default, where `base` comes from; `origin`: the object that says so. `note`: what one should know
    besides, or why nothing is known. `parts`: pods and ports that differ: where, mode, origin, workloads.
    """

    SCOPE: ClassVar[ScopeColumns] = ScopeColumns(
        environment="cluster__environment", cluster="cluster__slug", mesh="mesh_kind", namespace="namespace"
    )

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="mtls_modes")
    mesh_kind = models.CharField(max_length=20)
    namespace = models.CharField(max_length=253)
    mode = models.CharField(max_length=12)
    base = models.CharField(max_length=12)
    scope = models.CharField(max_length=12)
    origin = models.CharField(max_length=600, blank=True)
    note = models.CharField(max_length=400, blank=True)
    parts = models.JSONField(default=list)

    class Meta:
        ordering = ["namespace"]
        constraints = [models.UniqueConstraint(fields=["cluster", "mesh_kind", "namespace"], name="mtls_of_namespace")]

    def __str__(self) -> str:
        return f"{self.namespace}: {self.mode}"
