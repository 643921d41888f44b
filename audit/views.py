"""The audit log: a list, one event, and the check of the chain. Reading it is itself recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext

from audit import selectors
from audit.filters import EventFilter, filters_of
from audit.selectors import EventIndex
from audit.services import check_log, record_log_read
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectListView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


class EventListView(ObjectListView[EventIndex]):
    """/audit/: who did what, newest first."""

    needs = "audit.read"
    page_template = "audit/event_list.html"
    filterset_class = EventFilter
    sorts = {"seq": ("seq",)}
    default_sort = "-seq"

    @property
    def has_reads(self) -> bool:
        """Whether reads of the log are shown too."""
        return bool(self.request.GET.get("reads")) or self.request.GET.get("action") == selectors.READ

    def get_queryset(self) -> QuerySet[EventIndex]:
        """All events, or all but reads of the log."""
        return selectors.list_log(has_reads=self.has_reads)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The list, once the read is recorded."""
        self.require()
        record_log_read(actor=selectors.actor_of(request), what="list", narrowed=filters_of(request.GET))
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows and what the last check of the chain found."""
        return super().get_context_data(checked=selectors.last_check(), has_reads=self.has_reads, **kwargs)


class EventDetailView(PageView):
    """/audit/<seq>/: one event as it stands in the chain."""

    needs = "audit.read"
    page_template = "audit/event_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The event, if it is in scope, once the read is recorded. Raises Http404."""
        seq = kwargs["seq"]
        row = selectors.find_event(self.request.user, seq)
        if row is None:
            raise Http404
        record_log_read(actor=selectors.actor_of(self.request), what=f"event {seq}")
        event = selectors.get_event(seq)
        return super().get_context_data(
            row=row,
            event=event,
            facts=selectors.facts_of(event),
            bodies=selectors.bodies_of(event),
            **kwargs,
        )


class VerifyView(ActionView):
    """POST /audit/verify/: check the chain now, or ask the worker if it is long."""

    needs = "audit.read"

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Check and go back to the list."""
        report = check_log(actor=selectors.actor_of(self.request))
        said = gettext("The check is running; its result will stand in this list.")
        if report is not None:
            said = gettext("Checked %(count)s events.") % {"count": report.checked}
        return go_to(self.request, reverse("audit:event-list"), said=said)
