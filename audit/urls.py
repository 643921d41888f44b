"""URLs of audit."""

from django.urls import URLPattern, URLResolver, path

from audit.views import EventDetailView, EventListView, VerifyView

app_name = "audit"
urlpatterns: list[URLPattern | URLResolver] = [
    path("audit/", EventListView.as_view(), name="event-list"),
    path("audit/verify/", VerifyView.as_view(), name="verify"),
    path("audit/<int:seq>/", EventDetailView.as_view(), name="event-detail"),
]
