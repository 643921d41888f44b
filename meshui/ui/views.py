"""Pages that declare: a queryset, a template, and the verb they need. One URL serves the page and its partial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Model
from django.http import QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import View

from meshui.lib import rights
from meshui.lib.errors import RefusedError
from meshui.ui.context import env_of
from meshui.ui.htmx import is_live, is_partial, or_unchanged, push_url, vary_on_htmx
from meshui.ui.needs import Needs, require_text
from meshui.ui.refusals import render_refusal
from meshui.ui.tables import count_up_to, keyset_page, order_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet
    from django.forms import BaseForm
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase
    from django_filters import FilterSet

M = TypeVar("M", bound=Model)
DEFAULTS: Final = "list_defaults"
"""Of the session: path → query of the view that the person wants a list to open with."""


class Declared(LoginRequiredMixin, Needs, View):
    """What every page declares. A path that holds what no name holds is that of nothing: 404."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As every view, for a path that a database can be asked for."""
        require_text(kwargs.values())
        return super().dispatch(request, *args, **kwargs)


class PageView(Declared):
    """A page without a list or an object of its own. htmx gets `page_template#partial`.

    `pushes_url`: the partial is what the filters of the page's own URL show, so the browser is told that URL.
    """

    page_template: ClassVar[str]
    partial: ClassVar[str] = ""
    pushes_url: ClassVar[bool] = False
    keeps_views: ClassVar[bool] = False

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or its partial; a list that is asked for without a query opens as the person wants it."""
        self.require()
        if self.keeps_views and not request.GET and (query := default_query(request)):
            return redirect(f"{request.path}?{query}")
        return self.respond(self.get_context_data(**kwargs))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The context; `kwargs` are those of the URL."""
        return {"view": self, **kwargs}

    def respond(self, context: dict[str, Any]) -> HttpResponse:
        """Draw the page, or its partial for htmx."""
        is_part = bool(self.partial) and is_partial(self.request)
        name = f"{self.page_template}#{self.partial}" if is_part else self.page_template
        response = render(self.request, name, context)
        vary_on_htmx(response)
        if is_part and is_live(self.request):
            return or_unchanged(self.request, response)
        if is_part and self.pushes_url:
            push_url(self.request, response, bare="?view=all" if default_query(self.request) else "")
        return response


class ObjectListView(PageView, Generic[M]):
    """A list: filtered, sorted, in keyset pages of 50, all of it in the URL.

    `sorts` maps the words of ?sort= to columns. The rows are narrowed to where the reader has `needs`, unless
    `is_scoped` says that the selector did so. Context: rows (KeysetPage), filter_form, is_filtered, sort, and without:
    where nothing matches, how many rows there are without the filters (more than MOST_COUNTED: nobody counted on).
    """

    partial: ClassVar[str] = "table"
    pushes_url: ClassVar[bool] = True
    keeps_views: ClassVar[bool] = True
    filterset_class: ClassVar[type[FilterSet] | None] = None
    sorts: ClassVar[Mapping[str, Sequence[str]]] = {"pk": ("pk",)}
    default_sort: ClassVar[str] = "pk"
    is_scoped: ClassVar[bool] = False

    def get_queryset(self) -> QuerySet[M]:
        """All rows of the list, unfiltered."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The page of rows that the URL asks for."""
        filters, queryset = self._filtered(self.request.GET)
        sort, order = order_of(self.sorts, self.request.GET.get("sort", ""), self.default_sort)
        rows = keyset_page(queryset, order, self.request.GET)
        is_filtered = filters is not None and _is_filtered(filters)
        return super().get_context_data(
            rows=rows,
            filter_form=None if filters is None else filters.form,
            is_filtered=is_filtered,
            without=self._without_filters(rows.total) if is_filtered else rows.total,
            sort=sort,
            **kwargs,
        )

    def _without_filters(self, found: int) -> int:
        """Where nothing was found: how many rows there are with nothing but the environment that all is narrowed to."""
        if found:
            return found
        alone = QueryDict(mutable=True)
        alone["env"] = env_of(self.request)
        return count_up_to(self.narrowed(alone))

    def _in_scope(self) -> QuerySet[M]:
        queryset = self.get_queryset()
        if self.needs and not self.is_scoped:
            queryset = rights.in_scope(queryset, self.request.user, self.needs)
        return queryset

    def _filtered(self, params: QueryDict) -> tuple[FilterSet | None, QuerySet[M]]:
        """The filters, and the rows in scope that they let through."""
        queryset = self._in_scope()
        if self.filterset_class is None:
            return None, queryset
        filters = self.filterset_class(params, queryset=queryset, request=self.request)
        return filters, filters.qs

    def narrowed(self, params: QueryDict) -> QuerySet[M]:
        """The rows in scope that the filters of `params` let through, in the order that it asks for."""
        return self._filtered(params)[1].order_by(*order_of(self.sorts, params.get("sort", ""), self.default_sort)[1])


def default_query(request: HttpRequest) -> str:
    """The query that the person wants this list to open with; empty for none."""
    return str(getattr(request, "session", {}).get(DEFAULTS, {}).get(request.path, ""))


def _is_filtered(filters: FilterSet) -> bool:
    return any(filters.data.get(name) for name in filters.form.fields)


class ObjectDetailView(PageView, Generic[M]):
    """A page of one object. Out of scope and missing both answer 404."""

    context_object_name: ClassVar[str] = "object"
    slug_field: ClassVar[str] = "slug"
    slug_url_kwarg: ClassVar[str] = "slug"
    is_scoped: ClassVar[bool] = False

    def get_queryset(self) -> QuerySet[M]:
        """Where the object is looked for."""
        raise NotImplementedError

    def get_object(self) -> M:
        """The object of the URL, if it is in scope. Raises Http404."""
        queryset = self.get_queryset()
        if self.needs and not self.is_scoped:
            queryset = rights.in_scope(queryset, self.request.user, self.needs)
        return get_object_or_404(queryset, **{self.slug_field: self.kwargs[self.slug_url_kwarg]})

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The object, under its name."""
        return super().get_context_data(**{self.context_object_name: self.get_object()}, **kwargs)


class ActionView(Declared):
    """POST only: a form, then a verb. The verb decides and records a refusal, so nothing is asked before it.

    `form_template` is `page.html#partial`: the partial answers htmx, the whole page everybody else, both with the form
    as it was sent. Invalid is 422; a refusal has its own status and stands in the context as `refusal`.
    """

    form_class: ClassVar[type[BaseForm] | None] = None
    form_template: ClassVar[str] = ""

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Call the verb with the cleaned `data` and the URL's `kwargs`; answer with go_to()."""
        raise NotImplementedError

    def get_form_kwargs(self) -> dict[str, Any]:
        """What the form is made of."""
        return {"data": self.request.POST, "files": self.request.FILES}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the page around the form needs to be drawn again; `kwargs` hold form, refusal and those of the URL."""
        return {"view": self, **kwargs}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the form, call the verb."""
        form = None if self.form_class is None else self.form_class(**self.get_form_kwargs())
        if form is not None and not form.is_valid():
            return self.respond_again(422, form=form, refusal=None, **kwargs)
        try:
            return self.perform({} if form is None else form.cleaned_data, **kwargs)
        except RefusedError as refused:
            if not self.form_template:
                return render_refusal(request, refused)
            return self.respond_again(refused.status, form=form, refusal=refused, **kwargs)

    def respond_again(self, status: int, **kwargs: Any) -> HttpResponse:
        """The form once more, with what was written into it."""
        page, _, _ = self.form_template.partition("#")
        name = self.form_template if is_partial(self.request) else page
        response = render(self.request, name, self.get_context_data(**kwargs), status=status)
        vary_on_htmx(response)
        return response
