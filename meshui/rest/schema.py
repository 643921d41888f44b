"""OpenAPI from what the routes declare, so that it says what they do and nothing is written twice."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from meshui.rest import problems
from meshui.rest.serializers import Body, ProblemSerializer
from meshui.rest.views import LIMIT, MAX_LIMIT, ApiListView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshui.rest.views import ApiView

ADDRESS: Final = re.compile(r"^(?:(?:GET|POST) )?/\S*: ")
IN_SCHEMA: Final = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT}
IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"[1-9][0-9]{0,9}-[0-9a-f]{0,64}"$'},
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the change as you read it: the verb is about that version and that plan, or refuses.",
)
IF_NONE_MATCH: Final = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="An ETag: 304 while the change still has it."
)
KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Of your choice, kept for 24 hours: the same request again answers the first result.",
)
ETAG: Final = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200, 201], description='`"<version>-<digest of the plan>"`.'
)


class Schema(AutoSchema):
    """Reads the declarations of meshui.rest.views."""

    @property
    def declared(self) -> ApiView:
        """The view, which declares."""
        return cast("ApiView", self.view)

    def is_excluded(self) -> bool:
        """Addresses where nothing is."""
        return self.declared.is_hidden

    def get_operation_id(self) -> str:
        """`change_list`, of ChangeListView; of a POST beside a GET what the view calls it."""
        if self._is_second:
            return self.declared.posts_as
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.declared).__name__.removesuffix("View")).lower()

    def get_tags(self) -> list[str]:
        """What the view says."""
        return [self.declared.tag]

    def get_summary(self) -> str:
        """The first line of the docstring, without the address."""
        view = type(self.declared)
        doc = (getattr(view, "post", view).__doc__ if self._is_second else view.__doc__) or ""
        return ADDRESS.sub("", doc.strip().partition("\n")[0])

    def get_description(self) -> str:  # type: ignore[override]  # AutoSchema's own has no path
        """The rest of it, and the right that is needed."""
        needs = self.declared.posts_needs if self._is_second else self.declared.needs
        return f"Needs `{needs}`." if needs else "For everybody signed in."

    def get_override_parameters(self) -> list[Any]:
        """Paging and filters of a list, the headers of conditions."""
        return list(self._parameters())

    def get_request_serializer(self) -> Any:
        """What is taken."""
        return self.declared.body_class if self.method == "POST" else None

    def get_response_serializers(self) -> Any:
        """What is shown, and every problem that may be answered."""
        shown = self.declared.serializer_class
        status = 201 if self._is_second else 200
        if self._is_second:
            shown = self.declared.posts_class
        elif isinstance(self.declared, ApiListView):
            shown = _page_of(shown)
        found: dict[Any, Any] = {status: OpenApiResponse(shown, description="As it is now.")}
        if self.method == "POST":
            found |= {int(code): OpenApiResponse(shown, description=said) for code, said in self.declared.also.items()}
        elif self.declared.has_etag:
            found[304] = OpenApiResponse(None, description="It still has that ETag.")
        refused = OpenApiResponse(ProblemSerializer, description="Refused; nothing was changed.")
        return found | {(code, problems.MEDIA_TYPE): refused for code in self._problems()}

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: Any) -> Any:
        made = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]  # spectacular's
        return made | {"additionalProperties": False} if isinstance(serializer, Body) else made

    @property
    def _is_second(self) -> bool:
        return self.method == "POST" and bool(self.declared.posts_as)

    def _problems(self) -> list[int]:
        path = [404] if "{" in self.path or self._is_second else []
        if self.method == "GET":
            return [400, 401, 403, *path]
        condition = [412, 428] if self.declared.is_conditional else []
        return sorted({400, 401, 403, *path, 409, 413, 415, 422, 503, *condition})

    def _parameters(self) -> Iterator[OpenApiParameter]:
        view = self.declared
        if self.method == "GET" and isinstance(view, ApiListView):
            yield OpenApiParameter("cursor", str, description="Of the answer before: follow its `next`.")
            yield OpenApiParameter("limit", IN_SCHEMA, description="How many at once.")
            for name, made in () if view.filterset_class is None else view.filterset_class.base_filters.items():
                yield _filter(name, made)
        if self.method == "GET" and view.has_etag:
            yield IF_NONE_MATCH
        if self.method == "POST" and view.is_conditional:
            yield IF_MATCH
        if self.method == "POST" and view.takes_key:
            yield KEY
        if view.has_etag or (self._is_second and view.posts_etag):
            yield ETAG


def _page_of(shown: Any) -> Any:
    name = shown.__name__.removesuffix("Serializer")
    fields: dict[str, Any] = {"items": shown(many=True), "next": serializers.URLField(allow_null=True)}
    return inline_serializer(f"{name}Page", fields)


def _filter(name: str, made: Any) -> OpenApiParameter:
    choices = made.extra.get("choices")
    enum = [value for value, _ in choices] if isinstance(choices, list) else None
    kind = OpenApiTypes.NUMBER if type(made).__name__ == "NumberFilter" else OpenApiTypes.STR
    return OpenApiParameter(name, kind, enum=enum, description=str(made.label or ""))


@cache
def openapi() -> dict[str, Any]:
    """The whole of it; the same for everybody."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # its __init__
    return made
