"""`manage.py watch`: the watches of clusters as a process of their own, beside Celery's workers."""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from meshes.services.watchers import Watchers
from meshui import server
from meshui.celery import STATEMENT_SECONDS
from meshui.lib.env import limit_statements


class Command(BaseCommand):
    """Watch clusters until Ctrl-C or SIGTERM."""

    help = "Watch clusters, so that what is edited there is seen at once. Any number of these share them."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop; the clusters are given back then."""
        if not settings.BROKER_URL:
            raise CommandError("Without a broker `manage.py serve` watches the clusters itself.")
        if not settings.WATCH:
            raise CommandError("MESHUI_WATCH is off: clusters are read at intervals alone.")
        server.leave_on_sigterm()
        limit_statements(settings.DATABASES["default"], STATEMENT_SECONDS)
        watchers = Watchers()
        watchers.start()
        self.stdout.write("MeshUI watches its clusters (Ctrl-C ends it).")
        self.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return
        finally:
            watchers.stop()
