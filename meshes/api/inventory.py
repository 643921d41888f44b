"""/api/v1/meshes/, /api/v1/capabilities/ and /api/v1/services/"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from accounts.selectors import signed_in
from accounts.types import READ
from meshes import selectors
from meshes.api.mesh_faces import MeshDetailSerializer
from meshes.filters import MeshFilter, ServiceFilter
from meshes.models import Mesh, Service
from meshes.serializers import (
    CapabilitiesSerializer,
    MeshSerializer,
    ServiceDetailSerializer,
    ServiceSerializer,
)
from meshui.lib.errors import MissingError
from meshui.rest.views import ApiDetailView, ApiListView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet


class MeshListView(ApiListView[Mesh]):
    """/api/v1/meshes/: Installations by cluster and kind, gone or not."""

    needs = READ
    tag = "meshes"
    is_scoped = True
    filterset_class = MeshFilter
    serializer_class = MeshSerializer
    order = ("cluster__slug", "kind", "pk")

    def get_queryset(self) -> QuerySet[Mesh]:
        """Installations in scope."""
        return selectors.list_meshes(signed_in(self.request))

    def faces(self, rows: list[Mesh]) -> Sequence[Any]:
        """With their control planes."""
        return selectors.mesh_rows(rows)


class MeshDetailView(ApiDetailView):
    """/api/v1/meshes/<id>/: One installation: control planes, proxies, who takes plaintext, trust, what is odd."""

    needs = READ
    tag = "meshes"
    serializer_class = MeshDetailSerializer

    def get_object(self, **kwargs: Any) -> selectors.MeshDetail:
        """The installation of the URL."""
        return selectors.mesh_detail(signed_in(self.request), kwargs["pk"])


class CapabilitiesView(ApiDetailView):
    """/api/v1/capabilities/: What each mesh holds, loses and refuses, by the versions that run in one's clusters."""

    needs = READ
    tag = "meshes"
    serializer_class = CapabilitiesSerializer

    def get_object(self, **kwargs: Any) -> dict[str, list[selectors.Column]]:
        """As their adapters answer."""
        return {"meshes": selectors.capability_columns(signed_in(self.request))}


class ServiceListView(ApiListView[Service]):
    """/api/v1/services/: Services by name, one for each name in however many clusters."""

    needs = READ
    tag = "services"
    is_scoped = True
    filterset_class = ServiceFilter
    serializer_class = ServiceSerializer
    order = ("name", "namespace", "pk")

    @cached_property
    def seen(self) -> selectors.Rows:
        """What the reader may see, as rows."""
        return selectors.Rows(signed_in(self.request))

    def get_queryset(self) -> QuerySet[Service]:
        """One row for each service."""
        return selectors.services_list(self.seen)

    def faces(self, rows: list[Service]) -> Sequence[Any]:
        """With their clusters and how they are split."""
        return selectors.service_lines(self.seen, rows)


class ServiceDetailView(ApiDetailView):
    """/api/v1/services/<scope>/<namespace>/<name>/: One service in a cluster or in `all`: who gets how much, where."""

    needs = READ
    tag = "services"
    serializer_class = ServiceDetailSerializer

    def get_object(self, **kwargs: Any) -> selectors.AlignedService:
        """The service of the URL, over every cluster of its scope."""
        user = signed_in(self.request)
        found = selectors.aligned(user, kwargs["namespace"], kwargs["name"], scope=kwargs["scope"])
        if not found.clusters:
            raise MissingError("There is no such service.")
        return found
