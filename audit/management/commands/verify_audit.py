"""`manage.py verify_audit`: walk along the whole ledger; exit status 1 if anything is not as it was written."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.ledger import verify_chain


class Command(BaseCommand):
    """Verifies every event against the hash chain. Reads only."""

    help = "Verify the hash chain of the audit log; names the first bad event."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was found."""
        report = verify_chain()
        if not report.is_intact:
            raise CommandError(
                f"The audit log is not intact: {report.reason} The {report.checked} events before it are as written."
            )
        self.stdout.write(f"{report.checked} events are as written. Head: {report.head_hash}")
