"""/api/v1/audit/: history and its last check. Reading it is itself recorded, as on the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.urls import URLPattern, URLResolver, path

from audit import selectors
from audit.filters import EventFilter, filters_of
from audit.selectors import EventIndex
from audit.serializers import CheckedSerializer, EventDetailSerializer, EventSerializer
from audit.services import record_log_read
from meshui.lib.errors import MissingError
from meshui.rest.views import ApiDetailView, ApiListView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class EventListView(ApiListView[EventIndex]):
    """/api/v1/audit/events/: Events, newest first; reads of the log itself only where they are asked for by action."""

    needs = "audit.read"
    tag = "audit"
    filterset_class = EventFilter
    serializer_class = EventSerializer
    order = ("-seq",)
    more_query = {"reads": "Not empty: reads of the log itself, too."}

    def get_queryset(self) -> QuerySet[EventIndex]:
        """All events, or all but reads of the log."""
        asked = self.request.GET
        return selectors.list_log(has_reads=bool(asked.get("reads")) or asked.get("action") == selectors.READ)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The list, once the read is recorded."""
        record_log_read(actor=selectors.actor_of(request), what="list", narrowed=filters_of(request.query_params))
        return super().get(request, *args, **kwargs)


class EventDetailView(ApiDetailView):
    """/api/v1/audit/events/<seq>/: One event as it stands in the chain."""

    needs = "audit.read"
    tag = "audit"
    serializer_class = EventDetailSerializer

    def get_object(self, **kwargs: Any) -> selectors.StoredEvent:
        """The event, if it is in scope, once the read is recorded."""
        if selectors.find_event(self.request.user, kwargs["seq"]) is None:
            raise Http404
        record_log_read(actor=selectors.actor_of(self.request), what=f"event {kwargs['seq']}")
        return selectors.get_event(kwargs["seq"])


class VerificationView(ApiDetailView):
    """/api/v1/audit/verification/: What the last check of the chain found; it is made on the page and by the worker."""

    needs = "audit.read"
    tag = "audit"
    serializer_class = CheckedSerializer
    problems = (404,)

    def get_object(self, **kwargs: Any) -> selectors.Checked:
        """The result. Raises MissingError before there was one."""
        record_log_read(actor=selectors.actor_of(self.request), what="verification")
        found = selectors.last_check()
        if found is None:
            raise MissingError("The chain was not checked yet.", mend="Check it on the page of the log.")
        return found


urlpatterns: list[URLPattern | URLResolver] = [
    path("audit/events/", EventListView.as_view(), name="event-list"),
    path("audit/verification/", VerificationView.as_view(), name="audit-verification"),
    path("audit/events/<int:seq>/", EventDetailView.as_view(), name="event-detail"),
]
