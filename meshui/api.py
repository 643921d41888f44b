"""/api/v1: where the apps' routes meet, the schema, and everything else, which is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, include, path, re_path
from rest_framework.response import Response

from meshui.rest.schema import openapi
from meshui.rest.views import ApiView, NothingView

if TYPE_CHECKING:
    from rest_framework.request import Request

app_name = "api"


class SchemaView(ApiView):
    """/api/v1/schema/: OpenAPI 3.1 of the API, the same for everybody."""

    is_open = True
    is_hidden = True

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """As JSON; docs/openapi.yaml is the same."""
        return Response(openapi())


urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("", include("accounts.api")),
    path("", include("clusters.api")),
    path("", include("meshes.api")),
    path("", include("traffic.api")),
    path("", include("audit.api")),
    re_path("", NothingView.as_view(), name="nothing"),
]
