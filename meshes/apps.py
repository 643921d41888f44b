"""The app's configuration."""

from django.apps import AppConfig


class MeshesConfig(AppConfig):
    """Meshes."""

    name = "meshes"
    default_auto_field = "django.db.models.BigAutoField"
