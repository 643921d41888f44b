"""OpenAPI from what the routes declare, so that it says what they do and nothing is written twice."""

from __future__ import annotations

import re
from functools import cache, cached_property
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

    from meshui.rest.views import ApiView, Write

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
    "If-None-Match", str, OpenApiParameter.HEADER, description="An ETag: 304 while what is read still has it."
)
KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Of your choice, kept for 24 hours: the same request again answers the first result.",
)
ETAG: Final = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 201],
    description='Of what is shown; of a change `"<version>-<digest of the plan>"`.',
)
LINK: Final = OpenApiParameter(
    "Link", str, OpenApiParameter.HEADER, response=[200], description='`<…>; rel="next"`, as `next` says.'
)
LOCATION: Final = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[201], description="Where what was made is."
)
RETRY: Final = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429, 503],
    description="After how many seconds to try again.",
)
PEOPLE_ALONE: Final = "Takes a person who is signed in, never a token."
SAID: Final = {200: "As it is now.", 201: "Made.", 204: "Done."}


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
        """`change_list`, of ChangeListView; of what is written beside it what the view calls it."""
        name = self._write.name if self._write else ""
        return name or re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.declared).__name__.removesuffix("View")).lower()

    def get_tags(self) -> list[str]:
        """What the view says."""
        return [self.declared.tag]

    def get_summary(self) -> str:
        """The first line of the docstring, without the address."""
        view = type(self.declared)
        named = self._write is not None and bool(self._write.name)
        doc = (getattr(view, self.method.lower(), view).__doc__ if named else view.__doc__) or ""
        return ADDRESS.sub("", doc.strip().partition("\n")[0])

    def get_description(self) -> str:  # type: ignore[override]  # AutoSchema's own has no path
        """The rest of it, the right that is needed, and whether a token will do."""
        needs = self._write.needs if self._write else self.declared.needs
        said = f"Needs `{needs}`." if needs else "For everybody signed in."
        return f"{said} {PEOPLE_ALONE}" if self._write and self.declared.sessions_only else said

    def get_auth(self) -> list[dict[str, list[str]]]:
        """The ways to sign in that this operation takes."""
        found: list[dict[str, list[str]]] = super().get_auth()
        alone = self._write is not None and self.declared.sessions_only
        return [each for each in found if not alone or "session" in each]

    def get_override_parameters(self) -> list[Any]:
        """Paging and filters of a list, the headers of conditions."""
        return list(self._parameters())

    def get_request_serializer(self) -> Any:
        """What is taken."""
        return self._write.body if self._write else None

    def get_response_serializers(self) -> Any:
        """What is shown, and every problem that may be answered."""
        found = self._written(self._write) if self._write else self._read()
        refused = OpenApiResponse(ProblemSerializer, description="Refused; nothing was changed.")
        return found | {(code, problems.MEDIA_TYPE): refused for code in self._problems()}

    def _written(self, write: Write) -> dict[Any, Any]:
        found: dict[Any, Any] = {write.status: OpenApiResponse(write.shows, description=SAID[write.status])}
        return found | {int(code): OpenApiResponse(write.shows, description=said) for code, said in write.also.items()}

    def _read(self) -> dict[Any, Any]:
        shown = self.declared.serializer_class
        if isinstance(self.declared, ApiListView):
            return {200: OpenApiResponse(_page_of(shown), description=SAID[200])}
        found: dict[Any, Any] = {200: OpenApiResponse(shown, description=SAID[200])}
        return found | ({304: OpenApiResponse(None, description="It still has that ETag.")} if self._has_etag else {})

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: Any) -> Any:
        made = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]  # spectacular's
        if not isinstance(serializer, Body):
            return made
        example = {"examples": [serializer.example]} if serializer.example else {}
        return made | {"additionalProperties": False} | example

    @cached_property
    def _write(self) -> Write | None:
        """What the method declares; None: it reads."""
        return None if self.method == "GET" else self.declared.write_of(self.method)

    @property
    def _has_etag(self) -> bool:
        return self._write.has_etag if self._write else self.declared.has_etag

    def _problems(self) -> list[int]:
        path = [404] if "{" in self.path or (self._write and self._write.name) else []
        if self._write is None:
            return sorted({400, 401, 403, *path, 429, *self.declared.problems})
        condition = [412, 428] if self._write.is_conditional else []
        more = self._write.problems
        return sorted({400, 401, 403, *path, 409, 413, 415, 422, 429, 503, *condition, *more})

    def _parameters(self) -> Iterator[OpenApiParameter]:
        yield RETRY
        if self._write:
            yield from self._of_write(self._write)
        elif isinstance(self.declared, ApiListView):
            yield from self._of_list(self.declared)
        elif self._has_etag:
            yield IF_NONE_MATCH
        if self._has_etag:
            yield ETAG

    def _of_write(self, write: Write) -> Iterator[OpenApiParameter]:
        if write.is_conditional:
            yield IF_MATCH
        if write.takes_key:
            yield KEY
        if 201 in {write.status, *write.also}:
            yield LOCATION

    def _of_list(self, view: ApiListView[Any]) -> Iterator[OpenApiParameter]:
        yield OpenApiParameter("cursor", str, description="Of the answer before: follow its `next`.")
        yield OpenApiParameter("limit", IN_SCHEMA, description="How many at once.")
        yield LINK
        for name, said in view.more_query.items():
            yield OpenApiParameter(name, str, description=said)
        for name, made in () if view.filterset_class is None else view.filterset_class.base_filters.items():
            yield _filter(name, made)


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
