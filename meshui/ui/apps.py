"""The app of pages and their parts: no models, one system check."""

from __future__ import annotations

from django.apps import AppConfig


class UiConfig(AppConfig):
    """Registers the check of views."""

    name = "meshui.ui"
    label = "ui"

    def ready(self) -> None:
        """Import the check, which registers itself."""
        from meshui.ui import checks  # noqa: F401, PLC0415 - views need the apps to be ready
