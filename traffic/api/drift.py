"""/api/v1/drift/: what others changed of what MeshUI wrote. Read only: another change mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.selectors import signed_in
from accounts.types import READ
from meshes.models import ManagedRoute
from meshes.selectors import get_managed, list_drifts
from meshui.rest.views import ApiDetailView, ApiListView
from traffic.cards import drift_card
from traffic.drifts import drift_lines
from traffic.filters import DriftFilter
from traffic.serializers import DriftDetailSerializer, DriftSerializer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from traffic.cards import DriftCard


class DriftListView(ApiListView[ManagedRoute]):
    """/api/v1/drift/: Routes that are otherwise than MeshUI left them, the newest found first."""

    needs = READ
    tag = "drift"
    is_scoped = True
    filterset_class = DriftFilter
    serializer_class = DriftSerializer
    order = ("-drifted_at", "pk")

    def get_queryset(self) -> QuerySet[ManagedRoute]:
        """Drifted routes in scope."""
        return list_drifts(signed_in(self.request))

    def faces(self, rows: list[ManagedRoute]) -> Sequence[Any]:
        """With what moved."""
        return drift_lines(signed_in(self.request), rows)


class DriftDetailView(ApiDetailView):
    """/api/v1/drift/<id>/: One route as MeshUI left it and as it was read last."""

    needs = READ
    tag = "drift"
    serializer_class = DriftDetailSerializer

    def get_object(self, **kwargs: Any) -> DriftCard:
        """Both states, in neutral words and as YAML."""
        user = signed_in(self.request)
        return drift_card(user, get_managed(user, kwargs["drift_id"]))
