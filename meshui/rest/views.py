"""Routes that declare: the verb they need, what they show, what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from django.db.models import Model
from django.http import Http404
from rest_framework.response import Response
from rest_framework.views import APIView

from meshui.lib import rights
from meshui.rest.reading import BadQueryError, require_query
from meshui.ui.needs import Needs, require_text
from meshui.ui.tables import keyset_slice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet
    from django_filters import FilterSet
    from rest_framework.request import Request

    from meshui.rest.serializers import Body, Face

M = TypeVar("M", bound=Model)
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LIMIT: Final = 50
MAX_LIMIT: Final = 200
PAGING: Final = ("cursor", "limit")


class ApiView(Needs, APIView):
    """What every route declares, for itself and for the schema.

    `tag` groups it; `body_class` is what a POST takes; `has_etag`, `is_conditional` (If-Match), `takes_key`
    (Idempotency-Key) are its headers; `also` names its other good statuses. A list that things are posted to, too, says
    of the POST what it is called, needs and shows (`posts_…`). Unsafe methods ask nothing themselves: the verb decides,
    under its lock, and records a refusal.
    """

    request: Request
    http_method_names = ["get", "head", "post"]
    tag: ClassVar[str] = ""
    is_hidden: ClassVar[bool] = False
    serializer_class: ClassVar[type[Face]]
    body_class: ClassVar[type[Body]]
    has_etag: ClassVar[bool] = False
    is_conditional: ClassVar[bool] = False
    takes_key: ClassVar[bool] = False
    also: ClassVar[Mapping[int, str]] = {}
    posts_as: ClassVar[str] = ""
    posts_needs: ClassVar[str] = ""
    posts_class: ClassVar[type[Face]]
    posts_etag: ClassVar[bool] = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who asks, then whether they may look at all, then what the URL asks for."""
        super().initial(request, *args, **kwargs)
        require_text(kwargs.values())
        if request.method in SAFE:
            self.require()
        require_query(dict(request.query_params.lists()), self.known_query())

    def known_query(self) -> Sequence[str]:
        """The parameters that the URL may carry."""
        return ()

    def body_of(self, request: Request) -> dict[str, Any]:
        """What was sent, checked for shape. Raises ValidationError, ParseError, UnsupportedMediaType."""
        body = self.body_class(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


class ApiListView(ApiView, Generic[M]):
    """Rows in keyset pages: `?limit=` up to 200, `?cursor=` of the answer before. `filterset_class` as on the page.

    The rows are narrowed to where the reader has `needs`, unless `is_scoped` says that the selector did so.
    """

    filterset_class: ClassVar[type[FilterSet] | None] = None
    order: ClassVar[Sequence[str]] = ("pk",)
    is_scoped: ClassVar[bool] = False

    def get_queryset(self) -> QuerySet[M]:
        """All rows of the list, unfiltered."""
        raise NotImplementedError

    def faces(self, rows: list[M]) -> Sequence[Any]:
        """What the serializer shows of the rows of one page."""
        return rows

    def known_query(self) -> Sequence[str]:
        """Paging and filters."""
        filters = () if self.filterset_class is None else tuple(self.filterset_class.base_filters)
        return (*PAGING, *filters)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The page that the URL asks for."""
        after = request.query_params.get("cursor", "")
        found = keyset_slice(self._rows(), self.order, after=after, size=_limit(request))
        if after and found.is_first:
            raise BadQueryError({"cursor": ["This cursor cannot be read: take `next` as it was given."]})
        items = self.serializer_class(self.faces(found.items), many=True).data
        return Response({"items": items, "next": _next(request, found.cursor)})

    def _rows(self) -> QuerySet[M]:
        rows = self.get_queryset()
        if self.needs and not self.is_scoped:
            rows = rights.in_scope(rows, self.request.user, self.needs)
        if self.filterset_class is None:
            return rows
        filters = self.filterset_class(self.request.query_params, queryset=rows, request=self.request)
        if not filters.is_valid():
            raise BadQueryError(filters.errors)
        narrowed: QuerySet[M] = filters.qs
        return narrowed


class ApiDetailView(ApiView):
    """One thing. Out of scope and missing both answer 404."""

    def get_object(self, **kwargs: Any) -> Any:
        """What the URL names, for the serializer. Raises Http404, MissingError."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """It."""
        return Response(self.serializer_class(self.get_object(**kwargs)).data)


class NothingView(ApiView):
    """Every other address under the API."""

    is_open = True
    is_hidden = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nobody learns which addresses there are without signing in."""
        super(ApiView, self).initial(request, *args, **kwargs)
        raise Http404


def _limit(request: Request) -> int:
    asked = request.query_params.get("limit", str(LIMIT))
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 4 and 0 < int(asked) <= MAX_LIMIT):
        raise BadQueryError({"limit": [f"Write a number from 1 to {MAX_LIMIT}."]})
    return int(asked)


def _next(request: Request, cursor: str) -> str | None:
    if not cursor:
        return None
    params = request.query_params.copy()
    params["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{params.urlencode()}")
