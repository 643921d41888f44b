"""`manage.py list_checks`: the table of checks as docs/checks.md holds it; a test compares the two."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from traffic.checks import CHECKS


def table() -> str:
    """Markdown, one row a check."""
    rows = ["| Id | Severity | Check | What it looks for | Kiali |", "|---|---|---|---|---|"]
    rows += [
        f"| {c.id} | {c.severity} | {c.title} | {c.looks_for} | {c.kiali} |".replace("|  |", "| |") for c in CHECKS
    ]
    return "\n".join(rows)


class Command(BaseCommand):
    """Print the table of checks."""

    help = "Print the table of checks of a proposal, as docs/checks.md holds it."

    def handle(self, **_: Any) -> None:
        """Print it."""
        self.stdout.write(table())
