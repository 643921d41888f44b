"""/: what is broken, what waits for me, what moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext

from accounts.rights import Held
from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from clusters.models import Cluster
from meshes.filters import FleetFilter
from meshes.selectors import fleet_clusters, fleet_groups, fleet_rows
from meshui.lib.errors import MissingError
from meshui.ui.context import env_of
from meshui.ui.htmx import asked, go_to, is_partial
from meshui.ui.tables import keyset_page, order_of
from meshui.ui.views import ActionView, PageView
from metrics.selectors import cluster_signals, fleet_line, fleet_signals
from traffic import inbox, selectors
from traffic.attention import needs_of, without_snoozed
from traffic.overview import begun_by, first_end, first_steps, in_flight, overview_of
from traffic.services.snooze import snooze_need, wake_need
from traffic.sight import Sight
from traffic.timeline import moments

if TYPE_CHECKING:
    from django.http import HttpResponse

    from meshes.selectors import Counts

SHOWN: Final = 5
MOMENTS: Final = 8
NARROWING: Final = ("q", "health", "mesh", "environment", "env")
SORTS: Final = {
    "health": ("health_rank", "slug"),
    "name": ("slug",),
    "environment": ("environment", "health_rank", "slug"),
}
"""By what the table is sorted: stored columns alone, so that its pages follow a cursor."""


class FleetView(PageView):
    """/: each part is a method of its own, so that what moved is read alone. htmx gets the table for a filter."""

    needs = READ
    page_template = "fleet.html"
    partial = "table"
    pushes_url = True
    keeps_views = True
    parts: ClassVar[tuple[str, ...]] = ("counts", "attention", "table", "moving", "waiting", "activity")

    @cached_property
    def sight(self) -> Sight:
        """What the reader sees, of the environment that the URL narrows to."""
        return Sight(Held(signed_in(self.request)), env_of(self.request))

    @cached_property
    def counts(self) -> Counts:
        """What is in every cluster of it: for the sums and for the rows."""
        return self.sight.counts()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Everything on one page, each part bounded; for htmx no more than its part shows."""
        wanted = (self.partial,) if is_partial(self.request) else self.parts
        context: dict[str, Any] = {"asked": asked(self.request)}
        for part in wanted:
            context |= getattr(self, f"read_{part}")()
        return super().get_context_data(**context, **kwargs)

    def read_counts(self) -> dict[str, Any]:
        """Sums, and the first steps of whoever begins."""
        there = overview_of(self.sight, self.counts)
        begun = begun_by(signed_in(self.request), self.sight)
        can_register = "cluster.manage" in self.sight.held.verbs
        return {"there": there, "first": first_steps(self.sight, there, begun), "can_register": can_register}

    def read_attention(self) -> dict[str, Any]:
        """What needs somebody, worst first; all of it, or what they let rest, where the URL asks so."""
        found, resting = without_snoozed(signed_in(self.request), needs_of(self.sight))
        is_resting = bool(self.request.GET.get("snoozed"))
        wanted = resting if is_resting else found
        shown = wanted if is_resting or self.request.GET.get("all") else wanted[:SHOWN]
        return {"needs": shown, "needs_total": len(found), "resting": len(resting), "is_resting": is_resting}

    def read_table(self) -> dict[str, Any]:
        """Clusters and meshes as the filters of the URL have them."""
        held, params, group = self.sight.held, self.request.GET, self.request.GET.get("group", "")
        filters = FleetFilter(params, queryset=fleet_clusters(held), request=self.request)
        sort, order = order_of(SORTS, params.get("sort", ""), group if group == "environment" else "health")
        rows = keyset_page(filters.qs, order, params)
        return {
            "rows": rows,
            "measured": cluster_signals(rows.items, user=signed_in(self.request)),
            "groups": fleet_groups(fleet_rows(held, rows.items, self._counts_of_rows()), group),
            "sort": sort,
            "filter_form": filters.form,
            "is_filtered": any(params.get(name) for name in NARROWING),
            "without": rows.total or fleet_clusters(held).count(),
        }

    def _counts_of_rows(self) -> Counts | None:
        """Those of the sums, where they stand on the same page; None: only the rows are counted."""
        return None if is_partial(self.request) else self.counts

    def read_moving(self) -> dict[str, Any]:
        """Changes on their way."""
        return {"moving": in_flight(self.sight.changes())[:SHOWN]}

    def read_waiting(self) -> dict[str, Any]:
        """What waits for the reader."""
        waiting = inbox.list_waiting_for(signed_in(self.request))
        return {"waiting": selectors.here(waiting, self.sight.environment)[:SHOWN]}

    def read_activity(self) -> dict[str, Any]:
        """The last moves."""
        return {"activity": moments(selectors.recent_activity(self.sight.changes(), MOMENTS))}


class FleetPartView(FleetView):
    """/fleet/<part>/: for htmx the part alone; for whoever opens it, the whole."""

    pushes_url = False
    keeps_views = False


class FleetCountsView(FleetPartView):
    """/fleet/counts/"""

    partial = "counts"


class FleetSignalsView(PageView):
    """/fleet/signals/: requests of now over all that the reader sees; fetched by the fleet once it stands."""

    needs = READ
    page_template = "traffic/fleet_signals_page.html"
    partial = "signals"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The sums of now, and their last hour; and the root certificate that ends first."""
        user = signed_in(self.request)
        sight = Sight(Held(user), env_of(self.request))
        clusters = list(Cluster.objects.filter(pk__in=sight.services().values("cluster")))
        found = {
            "sums": fleet_signals(clusters, user=user),
            "line": fleet_line(clusters, user=user),
            "first_end": first_end(sight),
        }
        return super().get_context_data(**found, asked=asked(self.request), **kwargs)


class FleetAttentionView(FleetPartView):
    """/fleet/attention/"""

    partial = "attention"


class NeedView(ActionView):
    """One verb on one need of the reader; then what needs attention."""

    needs = READ

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Call it. For htmx the part of the fleet, for all others the page."""
        said = self.act(kwargs["mark"])
        return go_to(self.request, f"{reverse('traffic:fleet')}{asked(self.request)}", said=said)

    def act(self, mark: str) -> str:
        """The verb; what is said when it is done."""
        raise NotImplementedError


class NeedSnoozeView(NeedView):
    """POST /fleet/attention/<mark>/snooze/"""

    def act(self, mark: str) -> str:
        """Not to be told of it for eight hours. Raises MissingError."""
        sight = Sight(Held(signed_in(self.request)))
        need = next((need for need in needs_of(sight) if need.mark == mark), None)
        if need is None:
            raise MissingError("That does not need attention any more.", mend="Look at what does.")
        snooze_need(actor=actor_of(self.request), need=need)
        return gettext("Snoozed for 8 hours, for you alone. It comes back at once if it begins anew.")


class NeedWakeView(NeedView):
    """POST /fleet/attention/<mark>/wake/"""

    def act(self, mark: str) -> str:
        """Be told of it again. Raises MissingError."""
        wake_need(actor=actor_of(self.request), mark=mark)
        return gettext("You are told of it again.")


class FleetMovingView(FleetPartView):
    """/fleet/moving/"""

    partial = "moving"


class FleetActivityView(FleetPartView):
    """/fleet/activity/"""

    partial = "activity"
