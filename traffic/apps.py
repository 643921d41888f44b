"""The app's configuration."""

from django.apps import AppConfig

from audit.types import register_actions
from traffic.actions import ACTIONS


class TrafficConfig(AppConfig):
    """Traffic."""

    name = "traffic"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the audit actions known."""
        register_actions(ACTIONS)
