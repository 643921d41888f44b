"""URLs of traffic."""

from django.urls import URLPattern, URLResolver

app_name = "traffic"
urlpatterns: list[URLPattern | URLResolver] = []
