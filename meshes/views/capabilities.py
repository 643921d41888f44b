"""What each mesh holds, loses and refuses: of all clusters, of one, of one mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.selectors import signed_in
from accounts.types import READ
from meshes import selectors
from meshes.forms import CapabilityForm
from meshui.ui.views import PageView

if TYPE_CHECKING:
    from meshes.selectors import Column


class CapabilitiesView(PageView):
    """/capabilities/: every mesh that MeshUI knows, the versions of one's own clusters first."""

    needs = READ
    page_template = "meshes/capabilities.html"
    partial = "table"
    pushes_url = True

    def get_columns(self) -> list[Column]:
        """What is compared."""
        return selectors.capability_columns(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The columns, and the features that the text asks for."""
        form = CapabilityForm(self.request.GET)
        text = form.cleaned_data["q"] if form.is_valid() else ""
        columns = self.get_columns()
        lines = selectors.feature_rows(columns, text=text)
        return super().get_context_data(
            columns=columns, lines=lines, filter_form=form, is_filtered=bool(text), **kwargs
        )


class ClusterCapabilitiesView(CapabilitiesView):
    """/clusters/<slug>/capabilities/: of the versions that run there."""

    page_template = "meshes/cluster_capabilities.html"

    def get_columns(self) -> list[Column]:
        """What runs there."""
        found = selectors.read_cluster(signed_in(self.request), self.kwargs["slug"])
        self.found = found
        return selectors.capability_columns(signed_in(self.request), cluster=found.cluster, known_too=False)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the cluster."""
        return super().get_context_data(**kwargs) | {"found": self.found, "cluster": self.found.cluster}


class MeshCapabilitiesView(CapabilitiesView):
    """/meshes/<pk>/capabilities/: of the versions of its control planes."""

    page_template = "meshes/mesh_capabilities.html"

    def get_columns(self) -> list[Column]:
        """What runs it."""
        user = signed_in(self.request)
        self.found = selectors.mesh_head(user, self.kwargs["pk"])
        return selectors.capability_columns(user, mesh=self.found.mesh, known_too=False)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the mesh."""
        return super().get_context_data(**kwargs) | {"found": self.found}
