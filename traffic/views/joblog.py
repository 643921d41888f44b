"""/changes/<n>/log/: every step of the machine in the run of a change, in order, under numbers that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext

from accounts.selectors import signed_in
from accounts.types import READ
from meshui.ui.htmx import is_partial, vary_on_htmx
from meshui.ui.views import PageView
from meshui.ui.wording import absolute
from traffic import selectors
from traffic.timeline import moments
from traffic.types import TERMINAL
from traffic.views.diffs import as_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

    from audit.selectors import EventIndex
    from traffic.models import Change
    from traffic.timeline import Moment

SHOWN: Final = 500
KEPT: Final = 20_000
LAST: Final = 2**62


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `number` is that of its event in the chain, so it never moves."""

    number: int
    cluster: str
    object: str
    moment: Moment

    @property
    def text(self) -> str:
        """The line in a file."""
        parts = [self.moment.who, str(self.moment.words), self.object, self.moment.detail]
        place = f"{self.cluster} " if self.cluster else ""
        said = " ".join(part for part in parts if part)
        return f"{absolute(self.moment.when)} {self.number} {place}{said}".replace("\n", " ")


class ChangeLogView(PageView):
    """?after=<line> gives what came since, ?cluster= one cluster. htmx gets lines, and what asks for the next ones."""

    needs = READ
    page_template = "traffic/change_log.html"
    partial = "lines"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page; 204 to a page that has every line of a run that goes on."""
        self.require()
        context = self.get_context_data(**kwargs)
        if not is_partial(request) or context["lines"] or not context["is_open"]:
            return self.respond(context)
        response = HttpResponse(status=204)
        vary_on_htmx(response)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Lines behind `after`, as many as a page holds, and whether more may come."""
        change = selectors.get_change(signed_in(self.request), kwargs["number"])
        after, cluster = after_of(self.request), self.request.GET.get("cluster", "")[:63]
        found = list(selectors.log_of(change, after=after, cluster=cluster)[: SHOWN + 1])
        lines = lines_of(found[:SHOWN])
        return super().get_context_data(
            change=change,
            lines=lines,
            has_more=len(found) > SHOWN,
            last=lines[-1].number if lines else after,
            is_open=is_open(change),
            cluster=cluster,
            clusters=sorted({target.cluster.slug for target in change.targets.all()}),
        )


class ChangeLogTextView(PageView):
    """/changes/<n>/log/text/: the same as a file."""

    needs = READ
    page_template = "traffic/change_log.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """All lines."""
        self.require()
        change = selectors.get_change(signed_in(request), kwargs["number"])
        cluster = request.GET.get("cluster", "")[:63]
        lines = lines_of(selectors.log_of(change, after=0, cluster=cluster)[:KEPT])
        head = gettext("Log of change request #%(n)d") % {"n": change.number}
        return as_file("\n".join([head, *(line.text for line in lines)]) + "\n", f"change-{change.number}-log.txt")


def is_open(change: Change) -> bool:
    """Whether lines may still come."""
    return change.state not in TERMINAL


def after_of(request: HttpRequest) -> int:
    """The number of the last line that the reader has; 0 for none, or for what is no number."""
    asked = request.GET.get("after", "")
    return min(int(asked), LAST) if asked.isdecimal() and len(asked) < 20 else 0


def lines_of(events: Iterable[EventIndex]) -> list[LogLine]:
    """The events as lines, in their order. One query, for the names of people."""
    rows = list(events)
    return [_line(event, moment) for event, moment in zip(rows, moments(rows), strict=True)]


def _line(event: EventIndex, moment: Moment) -> LogLine:
    is_step = event.object_kind == "step"
    cluster = event.cluster_name if is_step else ""
    return LogLine(event.seq, cluster, event.object_name if is_step else "", moment)
