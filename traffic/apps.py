"""The app's configuration."""

from django.apps import AppConfig

from audit.types import register_actions
from clusters.removal import object_to_removal
from traffic.actions import ACTIONS


class TrafficConfig(AppConfig):
    """Traffic."""

    name = "traffic"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the audit actions known; keep clusters that open changes need."""
        from traffic.services.removal import why_kept  # noqa: PLC0415 - needs models

        register_actions(ACTIONS)
        object_to_removal(why_kept)
