"""manage.py rotate_credentials: after a new key was put in front of MESHUI_CREDENTIAL_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.types import SYSTEM
from clusters.services import rotate_credentials
from meshui.lib.errors import RefusedError


class Command(BaseCommand):
    """Puts every stored credential under the first key, in batches; may be stopped and started again."""

    help = "Encrypt all stored credentials with the first key of MESHUI_CREDENTIAL_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Batches until none is left. Raises CommandError naming what cannot be read."""
        total = 0
        try:
            while count := rotate_credentials(actor=SYSTEM):
                total += count
        except RefusedError as error:
            raise CommandError(f"{error} {total} were done.") from error
        self.stdout.write(f"{total} credentials were put under the first key. Older keys can be dropped now.")
