"""The breaker of a cluster, on its row, so that all workers share it.

Three failures in a row open it: the cluster is then neither read nor tested, only probed, at growing distances. A probe
that is answered closes it; the failures are forgotten when a reading goes well, so that a server which answers probes
and nothing else opens it again at once.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from django.db.models import F, Q

from clusters.clients import (
    CredentialRejectedError,
    ForbiddenError,
    InvalidObjectError,
    LostRaceError,
    ObjectGoneError,
)
from clusters.models import Cluster
from meshui.lib.bus import publish
from meshui.lib.clock import db_now

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

THRESHOLD: Final = 3
FIRST_SECONDS: Final = 5.0
MOST_SECONDS: Final = 300.0
ANSWERS: Final = (CredentialRejectedError, ForbiddenError, InvalidObjectError, LostRaceError, ObjectGoneError)
"""Refusals: whoever gives one is there and works."""


def closed() -> Q:
    """Clusters that may be called."""
    return Q(next_try_at__isnull=True)


def due_probes() -> QuerySet[Cluster]:
    """Clusters whose breaker is open and whose probe is due, longest due first."""
    return Cluster.objects.filter(next_try_at__lte=db_now()).order_by("next_try_at")


def wait_seconds(failures: int) -> float:
    """How long after so many failures in a row the next try is: 5 s at the third, doubled by each, 300 s at most.

    ± 20 %: the spread keeps clusters that died together from being tried together.
    """
    steps = min(max(failures - THRESHOLD, 0), 10)
    return min(MOST_SECONDS, FIRST_SECONDS * float(2**steps)) * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret


def is_failure(error: Exception) -> bool:
    """Whether `error` says that the cluster does not work; a refusal says that it does."""
    return not isinstance(error, ANSWERS)


def note_failure(cluster_id: UUID | str, error: Exception | str) -> bool:
    """Count a call that failed; whether the breaker is open now. Refusals (403 and the like) do not count.

    Two queries.
    """
    rows = Cluster.objects.filter(pk=cluster_id)
    if not isinstance(error, str) and not is_failure(error):
        return False
    rows.update(failures=F("failures") + 1, last_failure=str(error)[:500])
    publish("cluster", cluster_id)
    failures = rows.values_list("failures", flat=True).first() or 0
    if failures < THRESHOLD:
        return False
    return bool(rows.update(next_try_at=db_now(plus=wait_seconds(failures))))


def note_success(cluster_id: UUID | str) -> None:
    """A reading went well: failures are forgotten, the breaker is closed. One query, which rarely writes."""
    rows = Cluster.objects.filter(Q(failures__gt=0) | ~closed(), pk=cluster_id)
    if rows.update(failures=0, last_failure="", next_try_at=None):
        publish("cluster", cluster_id)
