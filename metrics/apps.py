"""The app's configuration."""

from django.apps import AppConfig
from django.utils.module_loading import import_string

from audit.types import register_actions
from clusters.removal import follow_removal
from metrics.actions import ACTIONS


class MetricsConfig(AppConfig):
    """Metrics."""

    name = "metrics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the audit actions known; follow clusters that go."""
        register_actions(ACTIONS)
        follow_removal(import_string("metrics.services.source.put_away"))  # models are there only now
