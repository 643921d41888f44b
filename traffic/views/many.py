"""Verbs on many change requests at once."""

from __future__ import annotations

import re
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from accounts.selectors import actor_of
from meshui.lib.errors import PreconditionRequiredError
from meshui.ui.bulk import ANY, BulkView
from traffic.forms import WhyForm
from traffic.models import Change
from traffic.services.hold import cancel_change
from traffic.types import Seen
from traffic.views.changes import ChangeListView


class ChangeCancelManyView(BulkView[Change]):
    """POST /bulk/changes/cancel/: each with the version that the list showed."""

    needs = "change.cancel"
    list_view = ChangeListView
    key = "number"
    title = gettext_lazy("Cancel change requests")
    form_class = WhyForm

    def act(self, row: Change, seen: str, data: dict[str, Any]) -> str:
        """C11."""
        version = row.version if seen == ANY else int(seen) if re.fullmatch("[0-9]{1,9}", seen) else None
        if version is None:
            raise PreconditionRequiredError(gettext("The list did not say which version of it was shown."))
        cancel_change(actor=actor_of(self.request), seen=Seen(row.pk, version), reason=data["reason"])
        return gettext("Cancelled: nothing was written.")

    def face(self, row: Change) -> tuple[str, str]:
        """#n title."""
        return f"#{row.number} {row.title}", reverse("traffic:change-detail", args=[row.number])

    def back(self) -> str:
        """Change requests."""
        return reverse("traffic:change-list")
