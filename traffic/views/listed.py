"""/services/signals/: requests of now for the rows of the list of services, in one answer for all of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from meshes.selectors import list_members
from meshes.views.services import ServiceListView
from meshui.ui.htmx import is_partial, vary_on_htmx
from metrics.selectors import row_signals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

    from meshes.models import Service
    from metrics.types import RowSignals

STAMP = 16


class ServiceListSignalsView(ServiceListView):
    """For htmx the cells of the very rows that the same query shows in the list, else a page of its own.

    `?seen=` is the stamp of what the page that asks shows: 204 while that is still true.
    """

    page_template = "traffic/services_signals.html"
    partial = "signals"
    pushes_url = False
    keeps_views = False

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Nothing, or the cells."""
        self.require()
        context = self.get_context_data(**kwargs)
        if not is_partial(request) or context["stamp"] != request.GET.get("seen"):
            return self.respond(context)
        response = HttpResponse(status=204)
        vary_on_htmx(response)
        return response

    def lines_of(self, rows: list[Service]) -> list[tuple[Service, RowSignals]]:
        """Each row with what is measured of the services that are one with it."""
        members = list_members(self.seen, rows)
        places = {pk: [(each.cluster_id, each.namespace, each.name) for each in found] for pk, found in members.items()}
        found = row_signals(places)
        return [(row, found[row.pk]) for row in rows if row.pk in found]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows, their signals, as of when, and the stamp of all that."""
        context = super().get_context_data(**kwargs)
        lines = context["lines"]
        query = self.request.GET.copy()
        query.pop("seen", None)
        oldest = min((signals.at for _, signals in lines if signals.state == "live" and signals.at), default=None)
        return context | {"oldest": oldest, "stamp": stamp_of(lines), "asked": query.urlencode()}


def stamp_of(lines: Iterable[tuple[Service, RowSignals]]) -> str:
    """Other values, other rows or another state: another stamp."""
    said = [(row.pk, each.state, each.live, each.at, each.rate, each.line[-1:]) for row, each in lines]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:STAMP]
