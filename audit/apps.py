"""The app's configuration."""

from django.apps import AppConfig

from audit.actions import ACTIONS
from audit.types import register_actions


class AuditConfig(AppConfig):
    """Audit."""

    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the actions of the log itself known."""
        register_actions(ACTIONS)
