"""What happened to a service, a cluster or a mesh: its change requests, and their last moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext

from accounts.rights import Held
from accounts.selectors import signed_in
from accounts.types import READ
from meshes.selectors import managed_of, members_of, mesh_head, read_cluster, sync_words
from meshui.lib.errors import MissingError
from meshui.ui.views import ObjectListView
from traffic import selectors
from traffic.drifts import Words, words_of_changes
from traffic.models import Change
from traffic.timeline import moments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet

    from meshes.selectors import Member, ReadCluster
    from meshes.selectors.meshes import MeshRow

MOMENTS: Final = 12


class HistoryView(ObjectListView[Change]):
    """Changes of one thing, newest first; each of them says who, when, and what came of it."""

    needs = READ
    is_scoped = True
    keeps_views = False
    page_template = "traffic/history.html"
    head_template: ClassVar[str]
    sorts: ClassVar[Mapping[str, Sequence[str]]] = {"number": ("number",)}
    default_sort = "-number"

    @cached_property
    def held(self) -> Held:
        """The grants of the reader, read once."""
        return Held(signed_in(self.request))

    def trail(self) -> list[tuple[str, str]]:
        """Where one comes from, the page of the thing last: URL and words."""
        raise NotImplementedError

    @cached_property
    def targets(self) -> Q:
        """What a target of its changes is. Raises MissingError where there is no such thing in scope."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Change]:
        """Those with such a target, as far as the reader sees them."""
        return selectors.with_targets(selectors.list_changes(signed_in(self.request)), self.targets)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what each of them moves here, and the last moves of all."""
        context = super().get_context_data(**kwargs)
        moves = words_of_changes(context["rows"].items, self.targets)
        context["lines"] = [(change, moves.get(change.pk, Words(()))) for change in context["rows"]]
        seen = selectors.with_targets(self.held.narrow(Change.objects.all(), READ), self.targets)
        return context | {"activity": moments(selectors.recent_activity(seen, MOMENTS)), "trail": self.trail()}


class ServiceHistoryView(HistoryView):
    """/services/<scope>/<namespace>/<name>/history/"""

    head_template = "traffic/service_history.html"

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The service in its scope, under the name that it has in each cluster. Raises MissingError."""
        user, (namespace, name, scope) = signed_in(self.request), self.names
        found = members_of(user, namespace, name, scope=scope)
        if not found.here and not found.away:
            raise MissingError(gettext("There is no such service."), mend=gettext("Open the list of services."))
        return found.here

    @property
    def names(self) -> tuple[str, str, str]:
        """Namespace, name and scope of the URL."""
        return self.kwargs["namespace"], self.kwargs["name"], self.kwargs["scope"]

    def trail(self) -> list[tuple[str, str]]:
        """By the list of services."""
        namespace, name, scope = self.names
        detail = reverse("meshes:service-detail", args=[scope, namespace, name])
        return [(reverse("meshes:service-list"), gettext("Services")), (detail, name)]

    @cached_property
    def targets(self) -> Q:
        """Its routes."""
        wanted = Q(pk__in=[])
        for member in self.members:
            wanted |= Q(cluster=member.cluster, namespace=member.namespace, service=member.name)
        return wanted

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With how its routes stand to what MeshUI left."""
        context = super().get_context_data(**kwargs)
        words = sync_words([member.cluster for member in self.members])
        return context | {"fact": managed_of(self.held, self.members, words)}


class ClusterHistoryView(HistoryView):
    """/clusters/<slug>/history/"""

    head_template = "traffic/cluster_history.html"

    @cached_property
    def found(self) -> ReadCluster:
        """The cluster of the URL. Raises MissingError."""
        return read_cluster(signed_in(self.request), self.kwargs["slug"])

    def trail(self) -> list[tuple[str, str]]:
        """By the list of clusters."""
        cluster = self.found.cluster
        detail = reverse("clusters:cluster-detail", args=[cluster.slug])
        return [(reverse("clusters:cluster-list"), gettext("Clusters")), (detail, cluster.name)]

    @cached_property
    def targets(self) -> Q:
        """All in the cluster."""
        return Q(cluster=self.found.cluster)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the cluster."""
        return super().get_context_data(**kwargs) | {"found": self.found, "cluster": self.found.cluster}


class MeshHistoryView(HistoryView):
    """/meshes/<pk>/history/"""

    head_template = "traffic/mesh_history.html"

    @cached_property
    def found(self) -> MeshRow:
        """The mesh of the URL. Raises MissingError."""
        return mesh_head(signed_in(self.request), self.kwargs["pk"])

    def trail(self) -> list[tuple[str, str]]:
        """By the list of meshes."""
        mesh = self.found.mesh
        detail = reverse("meshes:mesh-detail", args=[mesh.pk])
        words = f"{self.found.label} · {mesh.cluster.slug}"
        return [(reverse("meshes:mesh-list"), gettext("Meshes")), (detail, words)]

    @cached_property
    def targets(self) -> Q:
        """All in its cluster that this product decides."""
        return Q(cluster=self.found.mesh.cluster, mesh_kind=self.found.mesh.kind)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the mesh."""
        return super().get_context_data(**kwargs) | {"found": self.found}
