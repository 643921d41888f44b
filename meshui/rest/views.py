"""Routes that declare: the verb they need, what they show, what they take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar, cast

from django.db.models import Model
from django.utils.cache import patch_vary_headers
from rest_framework.response import Response
from rest_framework.views import APIView

from meshui.lib import rights
from meshui.lib.errors import MissingError
from meshui.rest.auth import require_session
from meshui.rest.cursors import UNREADABLE, read_cursor, signed_cursor
from meshui.rest.etags import etag_of, is_unchanged
from meshui.rest.reading import BadQueryError, require_query
from meshui.rest.serializers import EmptyBody
from meshui.ui.needs import Needs, require_text
from meshui.ui.tables import keyset_slice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet
    from django_filters import FilterSet
    from rest_framework.request import Request

    from meshui.rest.serializers import Body, Face

M = TypeVar("M", bound=Model)
VARY: Final = ("Cookie", "Authorization")
HOW_ADDRESSES_END: Final = "Addresses are those of /api/v1/schema/, and each ends with a slash."
KEPT: Final = {"Cache-Control": "private, no-cache"}
"""Of an answer with an ETag: whoever asked may keep it, and asks again each time."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LIMIT: Final = 50
MAX_LIMIT: Final = 200
PAGING: Final = ("cursor", "limit")


@dataclass(frozen=True, slots=True)
class Write:
    """What one unsafe method of a route declares: the name of the operation, the right, what it takes and shows.

    `shows` None: the answer is 204. `has_etag`: the answer carries one; `is_conditional`: needs If-Match; `takes_key`:
    may carry an Idempotency-Key; `also` names its other good statuses; `problems` those that only it answers.
    """

    name: str
    needs: str
    body: type[Body] = EmptyBody
    shows: type[Face] | None = None
    status: int = 200
    has_etag: bool = False
    is_conditional: bool = False
    takes_key: bool = False
    also: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()


class ApiView(Needs, APIView):
    """What every route declares, for itself and for the schema.

    `tag` groups it; a route of one verb says by `body_class`, `serializer_class` (None: 204), `has_etag`,
    `is_conditional` (If-Match), `takes_key` (Idempotency-Key), `also` (its other good statuses) and `problems` what it
    takes and answers. One that is read, too, says so of each unsafe method in `writes`; or, of a POST that makes a row
    of the list, what that is called, needs and shows (`posts_…`). `sessions_only`: its unsafe methods take whoever is
    signed in on the pages, never a token. Unsafe methods ask nothing themselves: the verb decides, under its lock, and
    records a refusal.
    """

    request: Request
    http_method_names = ["get", "head", "post", "put", "patch", "delete", "options"]
    tag: ClassVar[str] = ""
    is_hidden: ClassVar[bool] = False
    serializer_class: ClassVar[type[Face] | None] = None
    body_class: ClassVar[type[Body]] = EmptyBody
    has_etag: ClassVar[bool] = False
    is_conditional: ClassVar[bool] = False
    takes_key: ClassVar[bool] = False
    sessions_only: ClassVar[bool] = False
    also: ClassVar[Mapping[int, str]] = {}
    problems: ClassVar[tuple[int, ...]] = ()
    writes: ClassVar[Mapping[str, Write]] = {}
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
        elif self.sessions_only:
            require_session(request)
        require_query(dict(request.query_params.lists()), self.known_query())

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Each answer is of whoever asked: no cache gives it to somebody else."""
        final = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(final, VARY)
        return final

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Nothing but Allow: the same whether or not the thing is there."""
        return Response(status=204)

    def known_query(self) -> Sequence[str]:
        """The parameters that the URL may carry."""
        return ()

    def write_of(self, method: str) -> Write:
        """What an unsafe method declares."""
        if method in self.writes:
            return self.writes[method]
        if method == "POST" and self.posts_as:
            made, needs = (self.body_class, self.posts_class), self.posts_needs
            return Write(self.posts_as, needs, *made, 201, self.posts_etag, takes_key=self.takes_key)
        return self._own_write()

    def _own_write(self) -> Write:
        """Of a route of one verb."""
        return Write(
            "",
            self.needs,
            self.body_class,
            self.serializer_class,
            status=200 if self.serializer_class else 204,
            has_etag=self.has_etag,
            is_conditional=self.is_conditional,
            takes_key=self.takes_key,
            also=self.also,
            problems=self.problems,
        )

    def body_of(self, request: Request) -> dict[str, Any]:
        """What was sent, checked for shape. Raises ValidationError, ParseError, UnsupportedMediaType."""
        body = self.write_of(str(request.method)).body(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def shown(self, request: Request, data: Any, *, etag: str = "") -> Response:
        """What was read, with its ETag; 304 where the reader has it already."""
        etag = etag or etag_of(data)
        if is_unchanged(request, etag):
            return Response(status=304, headers={"ETag": etag, **KEPT})
        return Response(data, headers={"ETag": etag, **KEPT})


class ApiListView(ApiView, Generic[M]):
    """Rows in keyset pages: `?limit=` up to 200, `?cursor=` of the answer before. `filterset_class` as on the page;
    `more_query`: parameters besides, and what they do.

    The rows are narrowed to where the reader has `needs`, unless `is_scoped` says that the selector did so.
    """

    serializer_class: ClassVar[type[Face] | None]
    filterset_class: ClassVar[type[FilterSet] | None] = None
    more_query: ClassVar[Mapping[str, str]] = {}
    order: ClassVar[Sequence[str]] = ("pk",)
    is_scoped: ClassVar[bool] = False

    @property
    def row_class(self) -> type[Face]:
        """What shows one row."""
        return cast("type[Face]", self.serializer_class)

    def get_queryset(self) -> QuerySet[M]:
        """All rows of the list, unfiltered."""
        raise NotImplementedError

    def faces(self, rows: list[M]) -> Sequence[Any]:
        """What the serializer shows of the rows of one page."""
        return rows

    def known_query(self) -> Sequence[str]:
        """Paging and filters."""
        filters = () if self.filterset_class is None else tuple(self.filterset_class.base_filters)
        return (*PAGING, *self.more_query, *filters)

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The page that the URL asks for."""
        name = ",".join((type(self).__name__, *self.order))
        after = read_cursor(name, request.query_params.get("cursor", ""))
        found = keyset_slice(self._rows(), self.order, after=after, size=_limit(request))
        if after and found.is_first:
            raise BadQueryError({"cursor": [UNREADABLE]})
        items = self.row_class(self.faces(found.items), many=True).data
        following = _next(request, signed_cursor(name, found.cursor))
        headers = {"Link": f'<{following}>; rel="next"'} if following else {}
        return Response({"items": items, "next": following}, headers=headers)

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
    """One thing. Out of scope and missing both answer 404. Its ETag is of what is shown, unless the thing has one."""

    has_etag = True

    def get_object(self, **kwargs: Any) -> Any:
        """What the URL names, for the serializer. Raises Http404, MissingError."""
        raise NotImplementedError

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """It."""
        shows = cast("type[Face]", self.serializer_class)
        return self.shown(request, shows(self.get_object(**kwargs)).data)


class NothingView(ApiView):
    """Every other address under the API."""

    is_open = True
    is_hidden = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nobody learns which addresses there are without signing in."""
        super(ApiView, self).initial(request, *args, **kwargs)
        raise MissingError("There is nothing at this address.", mend=HOW_ADDRESSES_END)


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
