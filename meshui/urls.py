"""All URLs: each app brings its own."""

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("audit.urls")),
    path("", include("clusters.urls")),
    path("", include("meshes.urls")),
    path("", include("metrics.urls")),
    path("", include("traffic.urls")),
    path("api/docs/", include("meshui.rest.urls")),
    path("api/v1/", include("meshui.api")),
    path("", include("meshui.ui.urls")),
]
handler400 = "meshui.rest.problems.bad_request"
handler403 = "meshui.ui.refusals.permission_denied"
handler404 = "meshui.ui.refusals.page_not_found"
handler500 = "meshui.rest.problems.server_error"
