"""Change requests: the list, one of them, and its fragments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from accounts.selectors import signed_in
from accounts.types import READ
from meshui.lib import rights
from meshui.ui.htmx import is_partial, vary_on_htmx
from meshui.ui.views import ObjectListView, PageView
from traffic import selectors
from traffic.filters import ChangeFilter
from traffic.models import Change
from traffic.views.board import board_of, stamp_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class ChangeListView(ObjectListView[Change]):
    """/changes/"""

    needs = READ
    is_scoped = True
    page_template = "traffic/change_list.html"
    filterset_class = ChangeFilter
    sorts = {
        "number": ("number",),
        "title": ("title", "number"),
        "author": ("author_name", "number"),
        "moved": ("state_changed_at", "number"),
    }
    default_sort = "-number"

    def get_queryset(self) -> QuerySet[Change]:
        """All that the reader may see."""
        return selectors.list_changes(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows, and whether this person may cancel some."""
        return super().get_context_data(can_cancel=rights.has(self.request.user, "change.cancel"), **kwargs)


class ChangeDetailView(PageView):
    """/changes/<n>/: what, where, why, is it safe, and is it my turn."""

    needs = READ
    page_template = "traffic/change_detail.html"
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The board of the change; a change out of scope is missing."""
        user = signed_in(self.request)
        change = selectors.get_change(user, kwargs["number"])
        board = board_of(user, change, self.request.GET)
        return super().get_context_data(**board, refusal=None, comment="", reason="", **kwargs)


class ChangeLiveView(ChangeDetailView):
    """/changes/<n>/live/?seen=…: 204 while the page that asks is still true, else its body anew."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Nothing, or the body."""
        self.require()
        change, steps, votes = selectors.get_moment(signed_in(request), kwargs["number"])
        if not is_partial(request) or stamp_of(change, steps, votes) != request.GET.get("seen"):
            return self.respond(self.get_context_data(**kwargs))
        response = HttpResponse(status=204)
        vary_on_htmx(response)
        return response


class ChangeDecisionView(ChangeDetailView):
    """/changes/<n>/decision/: what I can do."""

    partial = "decision"


class ChangeChecksView(ChangeDetailView):
    """/changes/<n>/checks/: what was checked, when, and what it said."""

    partial = "checks"


class ChangeTargetsView(ChangeDetailView):
    """/changes/<n>/targets/: how far each target is."""

    partial = "targets"


class ChangeTimelineView(ChangeDetailView):
    """/changes/<n>/timeline/: what happened."""

    partial = "timeline"
