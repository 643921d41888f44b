"""The split form: a proposal for one route of a service, its preview, and the edit of a change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshui.lib.errors import DeniedError, MissingError, RefusedError
from meshui.ui.htmx import go_to, is_partial, vary_on_htmx
from meshui.ui.views import ActionView, PageView
from traffic import selectors
from traffic.forms import SplitForm, seen_in
from traffic.services.plan import request_plan
from traffic.services.propose import edit_change, propose_change
from traffic.types import Seen
from traffic.views.board import service_url
from traffic.views.workbench import workbench_for, workbench_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, QueryDict

    from audit.types import Actor
    from meshes.types import Route
    from traffic.models import Change
    from traffic.views.workbench import TargetPreview, Workbench


class SplitPage(PageView, ActionView):
    """What the proposal and the edit have in common: one bench, one form."""

    http_method_names = ["get", "post", "head", "options"]
    needs = READ
    form_template = "traffic/split.html#split"
    page_template = "traffic/split.html"

    def bench(self) -> Workbench | None:
        """The route and its likes."""
        raise NotImplementedError

    def make_form(self, bench: Workbench, data: QueryDict | None = None) -> SplitForm:
        """The form, bound or as it is first shown."""
        return SplitForm(data, base=bench.base, targets=bench.choices(), **self.first(bench))

    def first(self, bench: Workbench) -> dict[str, Any]:
        """`wanted` and `initial` of the form."""
        raise NotImplementedError

    def save(self, actor: Actor, form: SplitForm) -> Change:
        """The verb."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form around the bench; `form` and `refusal` if it was sent."""
        bench = self.bench()
        if bench is None:
            return super().get_context_data(bench=None, refusal=None, **kwargs)
        form = kwargs.pop("form", None) or self.make_form(bench)
        return super().get_context_data(bench=bench, **self.shown(bench, form), **{"refusal": None} | kwargs)

    def shown(self, bench: Workbench, form: SplitForm) -> dict[str, Any]:
        """What the template draws of the form."""
        checked = self.request.POST.getlist("route") if form.is_bound else list(form.initial["route"])
        desired = form.cleaned_data.get("desired") if form.is_bound and not form.errors else None
        main = bench.main
        return {
            "form": form,
            "rules": form.rules(),
            "chips": bench.chips(checked),
            "previews": self._previews(bench, desired, checked),
            "others": list(selectors.list_open_on_routes(signed_in(self.request), [main.pk])[:5]),
            "action": self.request.path.removesuffix("preview/"),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check, then propose."""
        bench = self.bench()
        if bench is None:
            raise MissingError(gettext("This service has no route to split."))
        form = self.make_form(bench, request.POST)
        if not form.is_valid():
            return self.respond_again(422, form=form, **kwargs)
        return self.accept(form, **kwargs)

    def accept(self, form: SplitForm, **kwargs: Any) -> HttpResponse:
        """Propose what the valid form says, have it planned, go to the change."""
        try:
            change = self.save(actor_of(self.request), form)
        except RefusedError as refused:
            return self.respond_again(refused.status, form=form, refusal=refused, **kwargs)
        said = self._plan(change)
        return go_to(self.request, reverse("traffic:change-detail", args=[change.number]), said=said)

    def _plan(self, change: Change) -> str:
        try:
            request_plan(actor=actor_of(self.request), seen=Seen(change.pk, change.version))
        except DeniedError as refused:
            return str(refused)
        return gettext("Every target is being dry-run.")

    def _previews(self, bench: Workbench, desired: Route | None, checked: list[str]) -> list[TargetPreview] | None:
        return None if desired is None else bench.preview(desired, checked)


class SplitView(SplitPage):
    """/services/<scope>/<namespace>/<name>/split/"""

    def bench(self) -> Workbench | None:
        """The route of the service in the cluster of the URL."""
        at = self.kwargs
        picked = self.request.POST.get("of") or self.request.GET.get("route", "")
        user = signed_in(self.request)
        return workbench_of(user, at["namespace"], at["name"], scope=at["scope"], route=picked)

    def first(self, bench: Workbench) -> dict[str, Any]:
        """As live, the cluster of the URL ticked."""
        title = gettext("Shift traffic of %(name)s") % {"name": bench.main.root_service}
        return {"initial": {"title": title, "route": [str(bench.main.pk)]}}

    def save(self, actor: Actor, form: SplitForm) -> Change:
        """C1."""
        return propose_change(actor=actor, proposal=form.proposal())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the names of the URL."""
        at = self.kwargs
        url = service_url(at["scope"], at["namespace"], at["name"])
        return super().get_context_data(**{"change": None, "service_url": url} | at | kwargs)


class ChangeEditView(SplitPage):
    """/changes/<n>/edit/: a new revision; every approval is void."""

    @cached_property
    def change(self) -> Change:
        """The change of the URL."""
        return selectors.get_change(signed_in(self.request), self.kwargs["number"])

    def bench(self) -> Workbench | None:
        """The route that the change was made on."""
        user = signed_in(self.request)
        routes = list(selectors.list_routes(user, [t.route_id for t in self.change.targets.all()]))
        if not routes:
            raise MissingError(gettext("The routes of this change are gone."), mend=gettext("Propose a new one."))
        return workbench_for(user, routes[0])

    def first(self, bench: Workbench) -> dict[str, Any]:
        """As the change wants it."""
        change = self.change
        initial = {
            "title": change.title,
            "reason": change.reason,
            "ticket": change.ticket,
            "version": change.version,
            "route": [str(target.route_id) for target in change.targets.all()],
        }
        revision = change.current_revision
        return {"initial": initial, "wanted": revision.route if revision else None}

    def save(self, actor: Actor, form: SplitForm) -> Change:
        """C2."""
        seen = seen_in(form.cleaned_data, self.change.pk, needs_digest=False)
        return edit_change(actor=actor, seen=seen, proposal=form.proposal())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the change."""
        main = self.change.targets.all()[0]
        at = {"scope": main.cluster.slug, "namespace": main.namespace, "name": main.service}
        at["service_url"] = service_url(*at.values())
        return super().get_context_data(**{"change": self.change} | at | kwargs)


class Preview(SplitPage):
    """POST …preview/: what would be written, from what was last read; nothing is kept, and no words are needed yet."""

    form_template = "traffic/split_preview.html"

    def make_form(self, bench: Workbench, data: QueryDict | None = None) -> SplitForm:
        """The same fields; only the shares must be sound."""
        form = super().make_form(bench, data)
        for name in ("title", "reason", "route"):
            form.fields[name].required = False
        return form

    def accept(self, form: SplitForm, **kwargs: Any) -> HttpResponse:
        """The form again, with the preview."""
        return self.respond_again(200, form=form, **kwargs)

    def respond_again(self, status: int, **kwargs: Any) -> HttpResponse:
        """The card for htmx, the whole form for everybody else."""
        name = self.form_template if is_partial(self.request) else self.page_template
        response = render(self.request, name, self.get_context_data(**kwargs), status=status)
        vary_on_htmx(response)
        return response


class SplitPreviewView(Preview, SplitView):
    """POST /services/<scope>/<namespace>/<name>/split/preview/"""


class ChangeEditPreviewView(Preview, ChangeEditView):
    """POST /changes/<n>/edit/preview/"""
