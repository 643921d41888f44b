"""/: what is broken, what waits for me, what moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from accounts.selectors import signed_in
from accounts.types import READ
from meshes.selectors import fleet_rows
from meshui.lib import rights
from meshui.ui.htmx import is_partial
from meshui.ui.views import PageView
from traffic import inbox, selectors
from traffic.timeline import moments
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import User
    from meshes.selectors import FleetRow

SHOWN: Final = 5
MOMENTS: Final = 8
MOVING: Final = 50
SILENT: Final = frozenset({"identity_changed", "credential_rejected", "unreachable"})


class FleetView(PageView):
    """/"""

    needs = READ
    page_template = "fleet.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Everything on one page, each part bounded."""
        user = signed_in(self.request)
        rows = fleet_rows(user)
        moving = list(selectors.list_changes_in_flight(user)[:MOVING])
        return super().get_context_data(
            rows=rows,
            counts={**counted(rows), **selectors.count_open(user)},
            clusters_in_need=[row.cluster for row in rows if row.cluster.health in SILENT][:SHOWN],
            halted=[change for change in moving if change.state == State.PAUSED][:SHOWN],
            moving=moving[:SHOWN],
            waiting=list(inbox.list_waiting_for(user)[:SHOWN]),
            activity=moments(selectors.recent_activity(user, MOMENTS)),
            **{"can_register": rights.has(user, "cluster.manage"), **kwargs},
        )


class FleetPartView(FleetView):
    """/fleet/<part>/: one part of it, fetched when something moved; for whoever opens it, the whole."""

    is_of_changes: ClassVar[bool] = False

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """As the page; for htmx no more than the part shows."""
        if not (self.is_of_changes and is_partial(self.request)):
            return super().get_context_data(**kwargs)
        return PageView.get_context_data(self, **self.read(signed_in(self.request)), **kwargs)

    def read(self, user: User) -> dict[str, Any]:
        """What a part of changes alone shows."""
        raise NotImplementedError


class FleetCountsView(FleetPartView):
    """/fleet/counts/"""

    partial = "counts"


class FleetTableView(FleetPartView):
    """/fleet/table/"""

    partial = "table"


class FleetAttentionView(FleetPartView):
    """/fleet/attention/"""

    partial = "attention"


class FleetMovingView(FleetPartView):
    """/fleet/moving/"""

    partial = "moving"
    is_of_changes = True

    def read(self, user: User) -> dict[str, Any]:
        """Changes on their way."""
        return {"moving": list(selectors.list_changes_in_flight(user)[:SHOWN])}


class FleetActivityView(FleetPartView):
    """/fleet/activity/"""

    partial = "activity"
    is_of_changes = True

    def read(self, user: User) -> dict[str, Any]:
        """The last moves."""
        return {"activity": moments(selectors.recent_activity(user, MOMENTS))}


def counted(rows: Sequence[FleetRow]) -> dict[str, int]:
    """The sums over the rows that are shown."""
    return {
        "clusters": len(rows),
        "reached": sum(row.cluster.health in {"healthy", "degraded"} for row in rows),
        "meshes": sum(len(row.meshes) for row in rows),
        "services": sum(row.service_count for row in rows),
        "routes": sum(row.route_count for row in rows),
        "split": sum(row.split_count for row in rows),
    }
