"""The app's configuration."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Clusters."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"
