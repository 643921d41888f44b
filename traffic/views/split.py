"""The split form: a proposal for a service over its clusters, its preview, and the edit of a change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django.http import QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshui.lib.errors import DeniedError, MissingError, RefusedError
from meshui.ui.htmx import go_to, is_partial, vary_on_htmx
from meshui.ui.views import ActionView, PageView
from traffic import selectors
from traffic.forms import EndForm, ProposalForm, SplitForm, seen_in
from traffic.previews import previews_of
from traffic.services.plan import request_plan
from traffic.services.propose import edit_change, propose_change
from traffic.spots import Asked, asked_of_change, workbench_of
from traffic.types import Seen
from traffic.views.board import service_url
from traffic.views.drafts import Drafting, choices_of, done, drafting_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from audit.types import Actor
    from meshes.types import Route
    from traffic.models import Change
    from traffic.previews import TargetPreview
    from traffic.spots import AskedOfChange
    from traffic.workbench import Spot, Workbench


class SplitPage(PageView, ActionView):
    """What the proposal and the edit have in common: one bench, one draft, one form."""

    http_method_names = ["get", "post", "head", "options"]
    needs = READ
    form_template = "traffic/split.html#split"
    page_template = "traffic/split.html"
    optional: ClassVar[Sequence[str]] = ()

    @cached_property
    def bench(self) -> Workbench:
        """The places of the service."""
        raise NotImplementedError

    @property
    def change(self) -> Change | None:
        """The change that is edited."""
        return None

    @property
    def params(self) -> QueryDict:
        """What was asked: of the form, else of the URL."""
        return self.request.POST if self.request.method == "POST" else self.request.GET

    @property
    def is_end(self) -> bool:
        """Whether the form is about the end of the split."""
        return bool(self.params.get("end"))

    def first(self) -> dict[str, Any]:
        """What the form shows first."""
        raise NotImplementedError

    def save(self, actor: Actor, form: ProposalForm) -> Change:
        """The verb."""
        raise NotImplementedError

    def drafting(self) -> Drafting | None:
        """The draft with the edits of the form; None: the versions of a new split are still to be chosen."""
        base = self.bench.base
        return None if base is None else drafting_of(base, self.bench.live, self.params)

    def make_form(self, drafting: Drafting, data: QueryDict | None = None, **initial: object) -> ProposalForm:
        """The form, bound or as it is first shown."""
        made = EndForm if self.is_end else SplitForm
        wanted = self.bench.ended if self.is_end else self.bench.wanted
        first = {**self.first(), **initial}
        form = made(data, draft=drafting.draft, choices=self.bench.choices(), wanted=wanted, initial=first)
        for name in self.optional:
            form.fields[name].required = False
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form around the bench; `form`, `drafting` and `refusal` if it was sent."""
        drafting = kwargs.pop("drafting", None) or self.drafting()
        form = kwargs.pop("form", None) or (self.make_form(drafting) if drafting else None)
        shown = {} if drafting is None or form is None else self.shown(drafting, form)
        head = {"bench": self.bench, "change": self.change, "refusal": None, "is_end": self.is_end}
        named = {"begun": self.params.getlist("begin"), "form": form, "drafting": drafting}
        return super().get_context_data(**head | named | shown | kwargs)

    def shown(self, drafting: Drafting, form: ProposalForm) -> dict[str, Any]:
        """What the template draws of the form."""
        checked = self.checked(form)
        main = self.bench.main
        desired = self.desired(drafting, form)
        return {
            "rules": form.rules() if isinstance(form, SplitForm) else [],
            "moves": form.moves() if isinstance(form, SplitForm) else "",
            "picked": len(checked),
            "options": choices_of(drafting.draft.route, main.extras),
            "chips": self.bench.chips(checked, desired or drafting.draft.route, "end" if self.is_end else "set"),
            "previews": self.previews(desired, checked),
            "others": selectors.list_open_on(signed_in(self.request), main.row) if main.row else [],
            "action": self.request.path.removesuffix("preview/"),
            **seen_urls(main),
        }

    def checked(self, form: ProposalForm) -> list[str]:
        """The places that are ticked."""
        sent = form.data
        return sent.getlist("route") if isinstance(sent, QueryDict) and form.is_bound else list(form.initial["route"])

    def desired(self, drafting: Drafting, form: ProposalForm) -> Route | None:
        """What a preview is shown of: of a form that was sent what it says, else of a draft that differs from live."""
        if form.is_bound:
            return None if form.non_field_errors() else form.cleaned_data.get("desired")
        is_other = self.is_end or (drafting.draft.route != self.bench.live and not drafting.draft.texts)
        return drafting.draft.route if is_other else None

    def previews(self, desired: Route | None, checked: list[str]) -> list[TargetPreview] | None:
        """What each ticked place would get; None: there is nothing to show yet."""
        if desired is None:
            return None
        return previews_of(self.bench, desired, checked, is_end=self.is_end, change=self.change)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Make an edit of the draft, or check and propose."""
        drafting = self.drafting()
        if drafting is None:
            raise MissingError(gettext("The versions to split between were not chosen."), mend=gettext("Choose two."))
        if request.POST.get("do"):
            return self.edited(drafting, **kwargs)
        form = self.make_form(drafting, request.POST)
        if not form.is_valid() or drafting.refusals:
            return self.respond_again(422, form=form, drafting=drafting, **kwargs)
        return self.accept(form, drafting=drafting, **kwargs)

    def edited(self, drafting: Drafting, **kwargs: Any) -> HttpResponse:
        """The form with what a button did to its structure; nothing is kept."""
        bench, data = self.bench, self.request.POST
        made = done(drafting, bench.base or drafting.draft.route, bench.main.extras, data)
        typed: dict[str, Any] = {name: data.get(name, "") for name in ("title", "reason", "ticket", "version")}
        form = self.make_form(made, route=data.getlist("route"), **typed)
        status = 422 if len(made.refusals) > len(drafting.refusals) else 200
        return SplitPage.respond_again(self, status, form=form, drafting=made, is_edited=True, **kwargs)

    def accept(self, form: ProposalForm, **kwargs: Any) -> HttpResponse:
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


def seen_urls(main: Spot) -> dict[str, str]:
    """Where it is told what is measured in the main place, and where to say that somebody looks."""
    root, slug = main.root, main.cluster.slug
    names = [slug, root.namespace, root.service]
    return {
        "seen_base": f"{reverse('traffic:split-signals', args=names)}?{urlencode({'at': slug})}",
        "watch_url": reverse("traffic:service-watch", args=names),
    }


class SplitView(SplitPage):
    """/services/<scope>/<namespace>/<name>/split/"""

    @cached_property
    def bench(self) -> Workbench:
        """The places of the service of the URL."""
        at = self.kwargs
        picked = self.request.POST.get("of") or self.request.GET.get("route", "")
        begin = tuple(self.params.getlist("begin"))
        return workbench_of(signed_in(self.request), Asked(at["namespace"], at["name"], at["scope"], picked, begin))

    def first(self) -> dict[str, Any]:
        """As live, the place of the URL ticked."""
        main = self.bench.main
        words = gettext("End the split of %(name)s") if self.is_end else gettext("Shift traffic of %(name)s")
        if main.row is None:
            words = gettext("Start a split of %(name)s")
        return {"title": words % {"name": main.root.service}, "route": [main.value]}

    def save(self, actor: Actor, form: ProposalForm) -> Change:
        """C1."""
        return propose_change(actor=actor, proposal=form.proposal())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the names of the URL."""
        at = self.kwargs
        url = service_url(at["scope"], at["namespace"], at["name"])
        return super().get_context_data(**{"service_url": url} | at | kwargs)


class ChangeEditView(SplitPage):
    """/changes/<n>/edit/: a new revision; every approval is void."""

    @cached_property
    def change(self) -> Change:
        """The change of the URL."""
        return selectors.get_change(signed_in(self.request), self.kwargs["number"])

    @cached_property
    def asked(self) -> AskedOfChange:
        """The place that the change was made on, and its wish."""
        return asked_of_change(self.change)

    @cached_property
    def bench(self) -> Workbench:
        """The places of the service; the form begins with the wish of the change."""
        asked = self.asked
        return workbench_of(signed_in(self.request), asked.at, base=None if asked.is_end else asked.desired)

    @property
    def is_end(self) -> bool:
        """As the form says; at first as the change is."""
        return bool(self.params.get("end")) or (self.request.method != "POST" and self.asked.is_end)

    def first(self) -> dict[str, Any]:
        """As the change wants it."""
        change = self.change
        return {
            "title": change.title,
            "reason": change.reason,
            "ticket": change.ticket,
            "version": change.version,
            "route": list(self.asked.values),
        }

    def save(self, actor: Actor, form: ProposalForm) -> Change:
        """C2."""
        seen = seen_in(form.cleaned_data, self.change.pk, needs_digest=False)
        return edit_change(actor=actor, seen=seen, proposal=form.proposal())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the names of the service."""
        at = {"scope": self.asked.at.scope, "namespace": self.asked.at.namespace, "name": self.asked.at.service}
        return super().get_context_data(**{"service_url": service_url(*at.values())} | at | kwargs)


class Preview(SplitPage):
    """POST …preview/: what would be written, from what was last read; nothing is kept, and no words are needed yet."""

    form_template = "traffic/split_preview.html"
    optional = ("title", "reason", "route")

    def accept(self, form: ProposalForm, **kwargs: Any) -> HttpResponse:
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
