"""The app's configuration."""

from django.apps import AppConfig


class TrafficConfig(AppConfig):
    """Traffic."""

    name = "traffic"
    default_auto_field = "django.db.models.BigAutoField"
