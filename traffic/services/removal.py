"""Whether a cluster may be removed: not while a change may still write to it, or has written and is not at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.models import Change
from traffic.types import TERMINAL

if TYPE_CHECKING:
    from clusters.models import Cluster

NAMED = 3


def why_kept(cluster: Cluster) -> str:
    """Why `cluster` must stay for now, naming the open changes; empty: none. Two queries."""
    open_ones = (
        Change.objects.filter(targets__cluster=cluster).exclude(state__in=TERMINAL).distinct().order_by("number")
    )
    names = ", ".join(str(change) for change in open_ones[:NAMED])
    if not names:
        return ""
    more = open_ones.count() - NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"Open changes need it: {names}{rest}."
