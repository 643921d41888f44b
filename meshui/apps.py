"""The project as an app: its commands, and the refusal of unsafe production settings."""

from django.apps import AppConfig

from meshui.refusals import refuse_production


class MeshuiConfig(AppConfig):
    """Starts last, when all settings and models are there."""

    name = "meshui"

    def ready(self) -> None:
        """Refuse to start in production with unsafe settings: web, worker, beat and every command alike."""
        refuse_production()
