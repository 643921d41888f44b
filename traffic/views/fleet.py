"""/: what is broken, what waits for me, what moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.utils.functional import cached_property

from accounts.rights import Held
from accounts.selectors import signed_in
from accounts.types import READ
from meshes.filters import FleetFilter
from meshes.selectors import FLEET_MOST, fleet_clusters, fleet_groups, fleet_rows
from meshui.ui.context import env_of
from meshui.ui.htmx import is_partial, push_url
from meshui.ui.views import PageView
from traffic import inbox, selectors
from traffic.attention import needs_of
from traffic.overview import begun_by, first_steps, overview_of
from traffic.sight import Sight
from traffic.timeline import moments

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse

    from traffic.models import Change

SHOWN: Final = 5
MOMENTS: Final = 8
NARROWING: Final = ("q", "health", "mesh", "environment")


class FleetView(PageView):
    """/: each part is a method of its own, so that what moved is read alone. htmx gets the table for a filter."""

    needs = READ
    page_template = "fleet.html"
    partial = "table"
    parts: ClassVar[tuple[str, ...]] = ("counts", "attention", "table", "moving", "waiting", "activity")

    @cached_property
    def sight(self) -> Sight:
        """What the reader sees, of the environment that the URL narrows to."""
        return Sight(Held(signed_in(self.request)), env_of(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Everything on one page, each part bounded; for htmx no more than its part shows."""
        wanted = (self.partial,) if is_partial(self.request) else self.parts
        query = self.request.GET.urlencode()
        context: dict[str, Any] = {"asked": f"?{query}" if query else ""}
        for part in wanted:
            context |= getattr(self, f"read_{part}")()
        return super().get_context_data(**context, **kwargs)

    def respond(self, context: dict[str, Any]) -> HttpResponse:
        """Draw the page; a filtered table tells the browser the URL it stands for."""
        response = super().respond(context)
        if self.partial == FleetView.partial and is_partial(self.request):
            push_url(self.request, response)
        return response

    def read_counts(self) -> dict[str, Any]:
        """Sums, and the first steps of whoever begins."""
        there = overview_of(self.sight)
        begun = begun_by(signed_in(self.request), self.sight)
        can_register = "cluster.manage" in self.sight.held.verbs
        return {"there": there, "first": first_steps(self.sight, there, begun), "can_register": can_register}

    def read_attention(self) -> dict[str, Any]:
        """What needs somebody, worst first; all of it where the URL asks so."""
        found = needs_of(self.sight)
        shown = found if self.request.GET.get("all") else found[:SHOWN]
        return {"needs": shown, "needs_total": len(found)}

    def read_table(self) -> dict[str, Any]:
        """Clusters and meshes as the filters of the URL have them."""
        held, params = self.sight.held, self.request.GET
        filters = FleetFilter(params, queryset=fleet_clusters(held), request=self.request)
        rows = fleet_rows(held, filters.qs)
        return {
            "groups": fleet_groups(rows, params.get("group", "")),
            "row_count": len(rows),
            "is_cut": len(rows) == FLEET_MOST,
            "filter_form": filters.form,
            "is_filtered": any(params.get(name) for name in NARROWING),
        }

    def read_moving(self) -> dict[str, Any]:
        """Changes on their way."""
        return {"moving": self._here(selectors.list_changes_in_flight(signed_in(self.request)))}

    def read_waiting(self) -> dict[str, Any]:
        """What waits for the reader."""
        return {"waiting": self._here(inbox.list_waiting_for(signed_in(self.request)))}

    def read_activity(self) -> dict[str, Any]:
        """The last moves."""
        return {"activity": moments(selectors.recent_activity(self.sight.changes(), MOMENTS))}

    def _here(self, changes: QuerySet[Change]) -> list[Change]:
        name = self.sight.environment
        return list((selectors.in_environment(changes, name) if name else changes)[:SHOWN])


class FleetCountsView(FleetView):
    """/fleet/counts/: for htmx the sums alone, as each part below; for whoever opens it, the whole."""

    partial = "counts"


class FleetAttentionView(FleetView):
    """/fleet/attention/"""

    partial = "attention"


class FleetMovingView(FleetView):
    """/fleet/moving/"""

    partial = "moving"


class FleetActivityView(FleetView):
    """/fleet/activity/"""

    partial = "activity"
