"""`manage.py serve`: MeshUI on this machine; with SQLite and no broker this one process is all there is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.urls import reverse

from accounts.selectors import is_unclaimed
from accounts.services import make_first_administrator_link
from audit.types import SYSTEM
from meshui import server
from meshui.lib.errors import UnavailableError
from meshui.lib.onlyone import only_process_on

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Migrate, say where it answers, serve until Ctrl-C or SIGTERM."""

    help = "Run MeshUI: the web server and, when no broker is set, the worker in the same process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        server.leave_on_sigterm()
        try:
            with ExitStack() as held:
                self._hold_database(held)
                listening = held.enter_context(server.listen(options["host"], options["port"]))
                call_command("migrate", interactive=False, verbosity=0)
                self._greet(server.address(listening))
                server.serve(listening)
        except UnavailableError as error:
            raise CommandError(str(error)) from error

    def _hold_database(self, held: ExitStack) -> None:
        database = settings.DATABASES["default"]
        if database["ENGINE"].endswith("sqlite3"):
            held.enter_context(only_process_on(Path(database["NAME"])))

    def _greet(self, url: str) -> None:
        lines = [f"MeshUI answers on {url} (Ctrl-C ends it)."]
        if is_unclaimed():  # asked before anything is said: whoever waits for the first line may make users at once
            path = reverse("accounts:first-administrator", args=[make_first_administrator_link(actor=SYSTEM)])
            lines.append(f"Nobody can sign in yet. This link makes the first administrator, once: {url}{path}")
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
