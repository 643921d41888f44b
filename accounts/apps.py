"""The app's configuration."""

from django.apps import AppConfig

from accounts.actions import ACTIONS
from audit.types import register_actions


class AccountsConfig(AppConfig):
    """Accounts."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the actions known."""
        register_actions(ACTIONS)
