"""Pages of services over clusters: the list, one service, and what people correct of it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext

from accounts.rights import Held
from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshes import selectors
from meshes.filters import ServiceFilter
from meshes.forms import AlignmentBoard, BackendForm, LinkForm, ReasonForm, VersionForm
from meshes.models import Service
from meshes.services.alignment import (
    CORRECT,
    ServiceAt,
    clear_correction,
    correct_version,
    exclude_cluster,
    include_cluster,
    link_service,
    unlink_service,
)
from meshui.lib import rights
from meshui.lib.errors import MissingError
from meshui.lib.rights import Place
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectListView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse


class ServiceListView(ObjectListView[Service]):
    """/services/"""

    needs = READ
    is_scoped = True
    page_template = "meshes/service_list.html"
    filterset_class = ServiceFilter
    sorts = {"name": ("name", "namespace"), "namespace": ("namespace", "name")}
    default_sort = "name"

    @cached_property
    def seen(self) -> selectors.Rows:
        """What the reader may see, as rows."""
        return selectors.Rows(signed_in(self.request))

    def get_queryset(self) -> QuerySet[Service]:
        """One row for each service, in however many clusters."""
        return selectors.services_list(self.seen)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows of the page, with what a list shows of them."""
        context = super().get_context_data(**kwargs)
        asked = self.request.GET.urlencode()
        lines = self.lines_of(context["rows"].items)
        return context | {"lines": lines, "asked": asked, "mark": hashlib.sha256(asked.encode()).hexdigest()[:8]}

    def lines_of(self, rows: list[Service]) -> list[Any]:
        """What is shown of `rows`, in their order."""
        return list(selectors.service_lines(self.seen, rows))


class ServiceDetailView(PageView):
    """/services/<scope>/<namespace>/<name>/: who gets how much, where. `?view=native` shows the native objects."""

    needs = READ
    page_template = "meshes/service_detail.html"
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The service in its scope; missing and out of scope are the same."""
        user = signed_in(self.request)
        found = selectors.service_view(user, kwargs["scope"], kwargs["namespace"], kwargs["name"])
        held, here = Held(user), found.aligned.clusters
        return super().get_context_data(
            service=found,
            fact=selectors.managed_of(held, [each.at for each in here], {each.cluster: each.sync for each in here}),
            is_native=self.request.GET.get("view") == "native",
            can_propose="change.propose" in held.verbs,
            can_correct=CORRECT in held.verbs,
            **kwargs,
        )


class AlignmentPage(PageView, ActionView):
    """/services/<cluster>/<namespace>/<name>/alignment/: what people correct of a service of one cluster."""

    needs = READ
    http_method_names = ["get", "head", "options"]
    page_template = "meshes/service_alignment.html"
    partial = "body"
    form_template = "meshes/service_alignment.html#body"

    @property
    def names(self) -> list[str]:
        """The cluster's slug, the namespace and the name of the URL."""
        return [self.kwargs[part] for part in ("scope", "namespace", "name")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The service there, with a form for each thing that may be said of it; `form` is one that was refused."""
        user, (slug, namespace, name) = signed_in(self.request), self.names
        found = selectors.aligned(user, namespace, name, scope=slug)
        if not found.clusters:
            raise MissingError(gettext("There is no such service."), mend=gettext("Open the list of services."))
        here = found.clusters[0]
        place = Place(here.cluster.environment, cluster=slug, namespace=namespace, service=name)
        board = AlignmentBoard(here, kwargs.pop("form", None))
        can_correct = rights.may(user, CORRECT, [place])
        return super().get_context_data(**{"refusal": None} | kwargs, board=board, can_correct=can_correct)

    def at(self) -> ServiceAt:
        """The service of the URL. Raises MissingError for one that the reader does not see."""
        slug, namespace, name = self.names
        found = selectors.members_of(signed_in(self.request), namespace, name, scope=slug).here
        if not found:
            raise MissingError(gettext("There is no such service."), mend=gettext("Open the list of services."))
        return ServiceAt(found[0].cluster.pk, namespace, name)

    def done(self, said: str, *, scope: str = "") -> HttpResponse:
        """Back to this page, or to the service's own in `scope`."""
        view, first = ("meshes:service-detail", scope) if scope else ("meshes:service-alignment", self.names[0])
        return go_to(self.request, reverse(view, args=[first, *self.names[1:]]), said=said)


class AlignmentVerb(AlignmentPage):
    """POST: something is said, or taken back."""

    http_method_names = ["post", "options"]


class VersionCorrectView(AlignmentVerb):
    """POST …/alignment/version/"""

    form_class = VersionForm

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The backend is this version."""
        correct_version(actor=actor_of(self.request), at=self.at(), **data)
        return self.done(gettext("%(key)s is version %(version)s now.") % {"key": data["backend_key"], **data})


class VersionClearView(AlignmentVerb):
    """POST …/alignment/version/clear/"""

    form_class = BackendForm

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The backend is what it was found to be."""
        clear_correction(actor=actor_of(self.request), at=self.at(), **data)
        return self.done(gettext("The correction is taken back."))


class ServiceLinkView(AlignmentVerb):
    """POST …/alignment/link/"""

    form_class = LinkForm

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """It is shown under another name."""
        link_service(actor=actor_of(self.request), at=self.at(), **data)
        url = reverse("meshes:service-detail", args=["all", data["to_namespace"], data["to_name"]])
        return go_to(self.request, url, said=gettext("It stands in this row now."))


class ServiceUnlinkView(AlignmentVerb):
    """POST …/alignment/unlink/"""

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """It is shown under its own name."""
        unlink_service(actor=actor_of(self.request), at=self.at())
        return self.done(gettext("It is shown under its own name again."))


class ClusterExcludeView(AlignmentVerb):
    """POST …/alignment/exclude/"""

    form_class = ReasonForm

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """It is another service."""
        exclude_cluster(actor=actor_of(self.request), at=self.at(), **data)
        return self.done(gettext("It has a row of its own now."), scope=self.names[0])


class ClusterIncludeView(AlignmentVerb):
    """POST …/alignment/include/"""

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """It is the same service."""
        include_cluster(actor=actor_of(self.request), at=self.at())
        return self.done(gettext("It stands in the row of its name again."), scope="all")
