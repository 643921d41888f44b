"""URLs of meshes."""

from django.urls import URLPattern, URLResolver

app_name = "meshes"
urlpatterns: list[URLPattern | URLResolver] = []
