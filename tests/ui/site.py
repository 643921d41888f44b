"""A small site on the base views, for their tests: people as rows, one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.http import Http404
from django.urls import include, path, reverse
from django_filters import CharFilter, FilterSet

from accounts.models import User
from meshui.lib.errors import GoneError, PreconditionRequiredError, StaleError, UnavailableError
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectDetailView, ObjectListView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

REFUSALS = {"409": GoneError, "412": StaleError, "428": PreconditionRequiredError, "503": UnavailableError}


class PeopleFilter(FilterSet):  # type: ignore[misc]  # django-filter has no types
    q = CharFilter(field_name="username", lookup_expr="icontains", label="Name")


class PeopleView(ObjectListView[User]):
    needs = "access.manage"
    page_template = "people.html"
    filterset_class = PeopleFilter
    sorts: ClassVar[dict[str, tuple[str, ...]]] = {"name": ("username",)}
    default_sort = "name"

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.all()


class PersonView(ObjectDetailView[User]):
    needs = "inventory.read"
    page_template = "people.html"
    slug_field = "username"
    context_object_name = "person"

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.all()


class RenameForm(forms.Form):
    name = forms.SlugField()


class RenameView(ActionView):
    needs = "access.manage"
    form_class = RenameForm
    form_template = "rename.html#form"

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if refused := REFUSALS.get(data["name"]):
            raise refused("It moved.", mend="Look again.")
        return go_to(self.request, reverse("people"), said="Renamed.")


class BareActionView(ActionView):
    needs = "access.manage"

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        raise GoneError("It is over.")


class UndeclaredView(PageView):
    page_template = "people.html"


class RefusingView(PageView):
    is_open = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        raise UnavailableError("The cluster did not answer.", mend="Try again.")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


handler404 = "meshui.ui.refusals.page_not_found"
handler500 = "meshui.ui.refusals.server_error"
urlpatterns = [
    path("people/", PeopleView.as_view(), name="people"),
    path("people/<slug:slug>/", PersonView.as_view()),
    path("rename/", RenameView.as_view()),
    path("over/", BareActionView.as_view()),
    path("undeclared/", UndeclaredView.as_view()),
    path("refusing/", RefusingView.as_view()),
    path("missing/", missing),
    path("", include("accounts.urls")),
    path("", include("meshui.ui.urls")),
]
