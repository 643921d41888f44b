"""/inbox/: what waits for me, oldest first, and why for me."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from accounts.selectors import signed_in
from accounts.types import READ
from meshui.ui.context import env_of
from meshui.ui.htmx import asked
from meshui.ui.views import ObjectListView, PageView
from traffic import inbox, selectors
from traffic.filters import InboxFilter
from traffic.models import Change

if TYPE_CHECKING:
    from django.db.models import QuerySet

SHOWN: Final = 5


class InboxView(ObjectListView[Change]):
    """/inbox/"""

    needs = READ
    is_scoped = True
    page_template = "traffic/inbox.html"
    filterset_class = InboxFilter
    sorts = {"since": ("state_changed_at",)}
    default_sort = "since"

    def get_queryset(self) -> QuerySet[Change]:
        """All that waits for the reader."""
        return inbox.list_waiting_for(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows; what was decided last, when there are none."""
        context = super().get_context_data(**kwargs)
        is_empty = not context["rows"] and not context["is_filtered"]
        return {**context, "decided": inbox.list_decided_lately(signed_in(self.request), SHOWN) if is_empty else []}


class InboxCardView(PageView):
    """/inbox/card/: the first of it, for other pages."""

    needs = READ
    page_template = "traffic/inbox_card.html"
    partial = "card"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The first rows."""
        waiting = selectors.here(inbox.list_waiting_for(signed_in(self.request)), env_of(self.request))
        return super().get_context_data(waiting=waiting[:SHOWN], asked=asked(self.request), **kwargs)
