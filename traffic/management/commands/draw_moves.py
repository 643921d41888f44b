"""`manage.py draw_moves`: the table of moves as docs/architecture.md holds it; a test compares the two."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from traffic.transitions import MOVES


def table() -> str:
    """Markdown, one row a move."""
    rows = ["| # | Move | From | To | Run's phase | Audit action |", "|---|---|---|---|---|---|"]
    for move in MOVES:
        sources = ", ".join(sorted(source.name for source in move.sources))
        phase = move.phase or "none"
        rows.append(f"| {move.id} | {move.word} | {sources} | {move.to.name} | {phase} | `{move.action}` |")
    return "\n".join(rows)


class Command(BaseCommand):
    """Print the table of moves."""

    help = "Print the table of moves of a change, as docs/architecture.md holds it."

    def handle(self, **_: Any) -> None:
        """Print it."""
        self.stdout.write(table())
