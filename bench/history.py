"""P7 of kind history: the audit log over 100,000 events, its first page, that of one actor, and one behind 90 %.

The goals are seconds of a page (ui.md section 14, 5); beside them the same page by OFFSET and count(*). Each read of
the log is itself recorded, here as always: a page writes, too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from accounts.selectors import actor_for
from audit.selectors import list_log
from audit.services import record, verb
from audit.types import About, ChangeRef
from bench.lists import DEEP, ROWS, N, offset_page
from bench.people import browser, database_version, person, seconds_of_page
from bench.rounds import Contender, Goal, Row, p95, take_turns
from meshui.ui.tables import keyset_slice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audit.types import Actor
    from bench.rounds import Asked, Figures, Report

ACTORS: Final = 20
AT_ONCE: Final = 500
"""Events of one transaction while the log is filled."""
STEPS: Final = ("proposed", "planned", "submitted", "approved", "queued", "started", "applied")
FIRST, BY_ACTOR, TOLD = Goal("p95", 0.3), Goal("p95", 0.4), Goal("p95")


@verb("traffic.change.proposed")
def write(*, actor: Actor, others: Sequence[Actor], numbers: range) -> None:
    """Record these events: changes of seven steps each, one actor after the other."""
    actors = (actor, *others)
    for number in numbers:
        change, step = divmod(number, len(STEPS))
        ref = ChangeRef(id=f"change-{change}", number=change + 1, revision=1)
        target = About(kind="change", id=ref.id, name=f"change {ref.number}", change=ref)
        who = actors[number % len(actors)]
        record(f"traffic.change.{STEPS[step]}", actor=who, target=target, reason="measured", step=step)


def fill(count: int) -> None:
    """Write so many events of ACTORS people."""
    first, *others = [actor_for(person(f"person{number:02}", "author")) for number in range(ACTORS)]
    for start in range(0, count, AT_ONCE):
        write(actor=first, others=others, numbers=range(start, min(start + AT_ONCE, count)))


def measure(asked: Asked, report: Report, _: Path) -> None:
    """Measure and tell of it."""
    count = asked.n or N
    fill(count)
    client = browser(person("bench-auditor", "auditor"))
    behind = keyset_slice(list_log(has_reads=False), ("-seq",), after="", size=int(count * DEEP)).cursor
    facts = {"n": count, "kind": "history", "db": database_version(), "seed": asked.seed}

    def page(query: str) -> Figures:
        return {"p95": p95(seconds_of_page(client, f"/audit/?{query}") for _ in range(asked.samples))}

    def offset(query: str) -> Figures:
        with patch("meshui.ui.views.keyset_page", offset_page):
            return page(query)

    deep = int(count * DEEP) // ROWS
    for where, goal, ours, theirs in (
        ("first page", FIRST, "", "page=0"),
        ("first page by actor", BY_ACTOR, "actor=person07", "actor=person07&page=0"),
        ("90 % deep", FIRST, f"after={behind}", f"page={deep}"),
    ):
        keyset = Contender("keyset", partial(page, ours))
        other = Contender("OFFSET + count(*)", partial(offset, theirs))
        rounds = take_turns([keyset, other], asked.rounds)
        row = Row("P7", f"history, {where}, {count} events", facts)
        report.judge(row, rounds, keyset, goal)
        report.compare(row, rounds, keyset, other, TOLD)
