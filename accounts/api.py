"""/api/v1/me/"""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, URLResolver, path

from accounts.selectors import signed_in
from accounts.serializers import MeSerializer
from meshui.lib import rights
from meshui.rest.views import ApiDetailView


class MeView(ApiDetailView):
    """/api/v1/me/: Who you are to MeshUI, and every verb that a grant of yours carries."""

    is_open = True
    tag = "me"
    serializer_class = MeSerializer

    def get_object(self, **kwargs: Any) -> dict[str, Any]:
        """The person who asks."""
        user = signed_in(self.request)
        named = {name: getattr(user, name) for name in ("username", "display_name", "time_zone")}
        return named | {"verbs": sorted(rights.evaluator().verbs(user)), "token": user.token}


urlpatterns: list[URLPattern | URLResolver] = [path("me/", MeView.as_view(), name="me")]
