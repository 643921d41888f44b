"""All URLs: each app brings its own."""

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("audit.urls")),
    path("", include("clusters.urls")),
    path("", include("meshes.urls")),
    path("", include("traffic.urls")),
]
