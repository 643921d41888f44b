"""…/signals/ of a service and of a change: what is measured, and that somebody looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy

from accounts.rights import Held
from accounts.selectors import signed_in
from accounts.types import READ
from meshes.selectors import members_of
from meshui.lib.errors import MissingError
from meshui.ui.context import env_of
from meshui.ui.htmx import go_to, is_htmx
from meshui.ui.views import ActionView, PageView
from metrics.services.watching import watch_all, watch_service
from traffic import selectors
from traffic.effects import MOST, effects_of
from traffic.measures import RANGES, USUAL, measures_of, split_now
from traffic.outlook import outlooks_of
from traffic.sight import Sight
from traffic.types import TERMINAL

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from traffic.models import Change
    from traffic.outlook import Outlook

MOST_KEYS: Final = 100
SPANS: Final[dict[int, str | _StrPromise]] = {
    15: gettext_lazy("15 min"),
    60: gettext_lazy("1 h"),
    360: gettext_lazy("6 h"),
    1440: gettext_lazy("24 h"),
}


class SpanForm(forms.Form):
    """What the URL asks for."""

    at = forms.CharField(required=False, max_length=253)
    minutes = forms.TypedChoiceField(required=False, coerce=int, choices=[(n, n) for n in RANGES])


class ServiceSignalsView(PageView):
    """For htmx the part of the service's page; a page of its own for everybody else."""

    needs = READ
    page_template = "traffic/service_signals.html"
    partial = "signals"

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The fields of the form; what cannot be read is as if it were not there."""
        form = SpanForm(self.request.GET)
        form.is_valid()
        given = {name: value for name, value in form.cleaned_data.items() if value}
        return {"at": "", "minutes": USUAL} | given

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The measures of the cluster that was asked for, or of the busiest. Raises MissingError."""
        user = signed_in(self.request)
        sight = Sight(Held(user), env_of(self.request))
        service = (kwargs["namespace"], kwargs["name"])
        found = measures_of(sight, user, kwargs["scope"], service, **self.asked)
        return super().get_context_data(found=found, spans=SPANS, **kwargs)


class KeysForm(forms.Form):
    """The backends of the form that asks, and what the ids of its rows begin with."""

    at = forms.CharField(required=False, max_length=253)
    rows = forms.RegexField(r"^r\d{1,3}-$", required=False)


class SplitSignalsView(PageView):
    """…/split/signals/?at=&prefix=&key=…: for htmx the measured parts of the split form, else a page of its own."""

    needs = READ
    page_template = "traffic/split_signals.html"
    partial = "signals"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What is measured of the backends `key`, in their order. Raises MissingError."""
        form = KeysForm(self.request.GET)
        form.is_valid()
        service = (kwargs["namespace"], kwargs["name"])
        keys = self.request.GET.getlist("key")[:MOST_KEYS]
        found = split_now(signed_in(self.request), kwargs["scope"], service, form.cleaned_data.get("at", ""), keys)
        prefix = form.cleaned_data.get("rows", "")
        return super().get_context_data(found=found, prefix=prefix, asked=self.request.GET.urlencode(), **kwargs)


class ChangeSignalsView(PageView):
    """/changes/<n>/signals/: what its writes did to the requests; fetched by its page once there was a write."""

    needs = READ
    page_template = "traffic/change_signals_page.html"
    partial = "signals"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Each service of each cluster before and after. Raises MissingError."""
        user = signed_in(self.request)
        change = selectors.get_change(user, kwargs["number"])
        effects, total = effects_of(user, change, list(selectors.list_steps(change)))
        outlooks = [] if effects or change.state in TERMINAL else self.outlooks(change)
        clusters = {each.cluster for each in effects} | {each.cluster for each in outlooks}
        topics = " ".join(f"metric-{slug}" for slug in sorted(clusters))
        found = {"effects": effects, "total": total, "outlooks": outlooks, "topics": topics}
        return super().get_context_data(change=change, **found, **kwargs)

    def outlooks(self, change: Change) -> list[Outlook]:
        """What it would move, before it is written."""
        return outlooks_of(selectors.list_plan_targets(change.current_plan)) if change.current_plan else []


class ChangeWatchView(ActionView):
    """POST …/signals/watch/: the page of a change is on a screen: what it wrote is measured every 15 s for a while."""

    needs = READ

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Raises MissingError for a change out of sight."""
        change = selectors.get_change(signed_in(self.request), kwargs["number"])
        watch_all(change.targets.select_related("cluster")[:MOST])
        if is_htmx(self.request):
            return HttpResponse(status=204)
        return go_to(self.request, reverse("traffic:change-signals", args=[change.number]))


class ServiceWatchView(ActionView):
    """POST …/signals/watch/: the page is on a screen, so its service is measured every 15 s for a while."""

    needs = READ

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Nothing is shown: what is measured comes by the stream. Raises MissingError out of sight."""
        names = (kwargs["scope"], kwargs["namespace"], kwargs["name"])
        found = members_of(signed_in(self.request), names[1], names[2], scope=names[0]).here
        at = self.request.POST.get("at", "")
        chosen = [member for member in found if member.cluster.slug == at]
        if not chosen:
            raise MissingError(gettext("There is no such service."), mend=gettext("Open the list of services."))
        watch_service(chosen[0].cluster, chosen[0].namespace, chosen[0].name)
        if is_htmx(self.request):
            return HttpResponse(status=204)
        return go_to(self.request, reverse("traffic:service-signals", args=names))
