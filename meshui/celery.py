"""The Celery app: a doorbell, nothing more. Settings: CELERY_* in settings.py."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import beat_init, worker_init
from django.conf import settings

from meshui.lib.env import limit_statements

STATEMENT_SECONDS = 60
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshui.settings")
app = Celery("meshui")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def _limit_statements(**_: object) -> None:
    """Of Celery's own processes alone: the web imports this module, too, and waits less."""
    limit_statements(settings.DATABASES["default"], STATEMENT_SECONDS)
