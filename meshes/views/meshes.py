"""Pages of meshes: every installation of every cluster, and one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.selectors import signed_in
from accounts.types import READ
from meshes import selectors
from meshes.filters import MeshFilter
from meshes.models import Mesh
from meshui.ui.views import ObjectListView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet


class MeshListView(ObjectListView[Mesh]):
    """/meshes/: which meshes are where, in which versions, and which of them do not work."""

    needs = READ
    is_scoped = True
    page_template = "meshes/mesh_list.html"
    filterset_class = MeshFilter
    sorts = {"cluster": ("cluster__slug", "kind"), "kind": ("kind", "cluster__slug"), "trust": ("trust_domain",)}
    default_sort = "cluster"

    def get_queryset(self) -> QuerySet[Mesh]:
        """Installations in scope."""
        return selectors.list_meshes(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows with their control planes, and clusters where something is odd."""
        context = super().get_context_data(**kwargs)
        lines = selectors.mesh_rows(context["rows"].items)
        return context | {"lines": lines, "odd": selectors.odd_clusters(signed_in(self.request))}


class MeshDetailView(PageView):
    """/meshes/<pk>/: control planes and revisions, who gets its proxies, who takes plaintext, whom it trusts."""

    needs = READ
    page_template = "meshes/mesh_detail.html"
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The installation."""
        found = selectors.mesh_detail(signed_in(self.request), kwargs["pk"])
        return super().get_context_data(found=found, proxies=found.proxies, behind=found.behind, **kwargs)
