"""How often a person may ask for what costs a connection: counted in rows, over all processes."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Final

from django.db.models import F

from clusters.errors import TooOftenError
from clusters.models import Tally
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.rights import may

if TYPE_CHECKING:
    from audit.types import Actor
    from clusters.models import Cluster

WINDOW_SECONDS: Final = 60
INTAKES: Final = 10
TESTS: Final = 6


def count_intake(*, actor: Actor) -> None:
    """One more credential that `actor` brings: at most 10 a minute. Raises TooOftenError."""
    _count(f"intake\n{actor.user_id}", INTAKES, f"You sent {INTAKES} credentials within a minute.")


def count_test(*, actor: Actor, cluster: Cluster) -> None:
    """One more connection test of `cluster`: at most 6 a minute. Raises TooOftenError.

    Whoever may not test it is not counted: the verb refuses them, and nobody keeps others from testing.
    """
    if may(actor, "cluster.manage", [cluster.place]):
        _count(f"test\n{cluster.pk}", TESTS, f"{cluster.slug} was tested {TESTS} times within a minute.")


def _count(what: str, limit: int, refusal: str) -> None:
    bucket = hashlib.sha256(what.encode()).hexdigest()
    Tally.objects.filter(since__lte=db_now(plus=-WINDOW_SECONDS)).delete()
    Tally.objects.bulk_create([Tally(bucket=bucket, since=db_now(), count=0)], ignore_conflicts=True)
    row = Tally.objects.filter(pk=bucket)
    if row.filter(count__lt=limit).update(count=F("count") + 1):
        return
    since = row.values_list("since", flat=True).first() or read_db_now()
    left = WINDOW_SECONDS - (read_db_now() - since).total_seconds()
    raise TooOftenError(refusal, retry_after=max(1, math.ceil(left)))
