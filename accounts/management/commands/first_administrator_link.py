"""`manage.py first_administrator_link`: print a one-time link that makes the first administrator."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts.services import make_first_administrator_link
from audit.types import SYSTEM
from meshui.lib.errors import GoneError


class Command(BaseCommand):
    """Prints the link; 30 minutes, only while there is no user."""

    help = "Print a one-time link (30 minutes) that creates the first administrator. Only while there is no user."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the link alone, so that a script can take it."""
        try:
            token = make_first_administrator_link(actor=SYSTEM)
        except GoneError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(settings.SITE_URL.rstrip("/") + reverse("accounts:first-administrator", args=[token]))
