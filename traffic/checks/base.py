"""What a check is: an id that is never reused, what it looks for, and the pure function that looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from meshes.types import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from traffic.checks.facts import Facts

    Run = Callable[[Facts], Iterator[Finding]]

Severity = Literal["block", "warn"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `kiali`: the codes of Kiali's validations that say the same; empty: it has none.

    `severity` block or warn: the finding itself says which of the two.
    """

    id: str
    title: str
    looks_for: str
    severity: Literal["block", "warn", "block or warn"]
    run: Run
    kiali: str = ""

    def finding(self, facts: Facts, where: str, message: str, *, severity: Severity | None = None) -> Finding:
        """What it says of the target of `facts`. `severity` is given where the check has two."""
        own: Severity = "warn" if self.severity == "warn" else "block"
        return Finding(self.id, severity or own, where, message, (facts.target,))
