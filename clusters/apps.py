"""The app's configuration."""

from django.apps import AppConfig

from audit.types import register_actions
from clusters.actions import ACTIONS


class ClustersConfig(AppConfig):
    """Clusters."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the audit actions known."""
        register_actions(ACTIONS)
