"""Drift: what others changed of what MeshUI wrote, and how it differs. Read only: another change request mends it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.urls import reverse

from accounts.selectors import signed_in
from accounts.types import READ
from meshes.models import ManagedRoute
from meshes.selectors import count_managed, drift_watch, get_managed, list_drifts, read_cluster, watch_of
from meshui.lib import rights
from meshui.ui.views import ObjectListView, PageView
from traffic.cards import drift_card
from traffic.drifts import drift_lines
from traffic.filters import DriftFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from clusters.models import Cluster
    from meshes.selectors import ReadCluster, Watch


class DriftListView(ObjectListView[ManagedRoute]):
    """/drift/: who changed what outside of MeshUI, since when, and how fresh that is."""

    needs = READ
    is_scoped = True
    page_template = "traffic/drift_list.html"
    filterset_class = DriftFilter
    sorts: ClassVar[Mapping[str, Sequence[str]]] = {
        "seen": ("drifted_at",),
        "service": ("root_service", "root_namespace", "cluster__slug"),
        "cluster": ("cluster__slug", "root_service"),
    }
    default_sort = "-seen"

    @property
    def cluster(self) -> Cluster | None:
        """The one that is asked for; None: all."""
        return None

    def get_watch(self) -> Watch:
        """How old the readings are that the rows come from."""
        return drift_watch(signed_in(self.request))

    def get_queryset(self) -> QuerySet[ManagedRoute]:
        """Drifted routes in scope."""
        return list_drifts(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows in words, and how old the readings are that they come from."""
        user = signed_in(self.request)
        context = super().get_context_data(**kwargs)
        lines = drift_lines(user, context["rows"].items)
        managed = 0 if lines else count_managed(user, self.cluster)
        return context | {"lines": lines, "watch": self.get_watch(), "managed": managed, "cluster": self.cluster}


class ClusterDriftView(DriftListView):
    """/clusters/<slug>/drift/: the same, of one cluster."""

    page_template = "traffic/cluster_drift.html"

    @cached_property
    def found(self) -> ReadCluster:
        """The cluster of the URL. Raises MissingError."""
        return read_cluster(signed_in(self.request), self.kwargs["slug"])

    @property
    def cluster(self) -> Cluster:
        """Its row."""
        return self.found.cluster

    def get_watch(self) -> Watch:
        """How old its last reading is."""
        return watch_of({self.found.cluster: self.found.sync})

    def get_queryset(self) -> QuerySet[ManagedRoute]:
        """Those of the cluster."""
        return super().get_queryset().filter(cluster=self.cluster)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With how fresh the cluster is."""
        return super().get_context_data(found=self.found, **kwargs)


class DriftDiffView(PageView):
    """/drift/<pk>/diff/: one route, as MeshUI left it and as it was read last."""

    needs = READ
    page_template = "traffic/drift_diff.html"
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Both states in neutral words and as YAML."""
        user = signed_in(self.request)
        row = get_managed(user, kwargs["pk"])
        service = [row.cluster.slug, row.root_namespace, row.root_service]
        return super().get_context_data(
            row=row,
            card=drift_card(user, row),
            service_url=reverse("meshes:service-detail", args=service),
            watch=drift_watch(user, row.cluster),
            mode="split" if self.request.GET.get("mode") == "split" else "unified",
            can_propose=rights.may(user, "change.propose", [row.place]),
            **kwargs,
        )
