"""/: what is broken, what waits for me, what moves."""

from __future__ import annotations

from typing import Any

from accounts.selectors import signed_in
from accounts.types import READ
from meshes.selectors import fleet_rows
from meshui.lib import rights
from meshui.ui.views import PageView
from traffic import selectors
from traffic.views.timeline import moments

MAX_NEEDS = 5
MAX_WAITING = 5
MAX_MOVING = 5
MAX_MOMENTS = 8


class FleetView(PageView):
    """/"""

    needs = READ
    page_template = "fleet.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Everything on one page, each part bounded."""
        user = signed_in(self.request)
        waiting = selectors.list_changes_waiting_for(user)
        return super().get_context_data(
            counts=selectors.fleet_counts(user),
            clusters_in_need=list(selectors.list_clusters_in_need(user)[:MAX_NEEDS]),
            halted=list(selectors.list_changes_halted(user)[:MAX_NEEDS]),
            waiting=list(waiting[:MAX_WAITING]),
            moving=list(selectors.list_changes_in_flight(user)[:MAX_MOVING]),
            rows=fleet_rows(user),
            can_register=rights.has(user, "cluster.manage"),
            activity=moments(selectors.recent_activity(user, MAX_MOMENTS)),
            **kwargs,
        )
