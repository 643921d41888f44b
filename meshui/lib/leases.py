"""The right of one process to work on a row now: claimed by compare-and-swap, timed by the database's clock.

A claim grows the row's fence; whoever writes later than its claim finds another fence and stops.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from meshui.lib.clock import db_now

if TYPE_CHECKING:
    from django.db.models import QuerySet

M = TypeVar("M", bound="LeasedRow")

PROCESS = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def runner_name() -> str:
    """This thread of this process, unique over machines."""
    return f"{PROCESS}:{threading.get_ident()}"


class LeasedRow(models.Model):
    """A row that is work: who holds it, until when, how often it was taken."""

    lease_owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_fence = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


def free() -> Q:
    """Rows that nobody holds now."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=db_now())


def claim(rows: QuerySet[M], *, owner: str, seconds: float | None = None) -> int | None:
    """Take the one row of `rows` (filtered to it and its states) if it is free; its new fence, else None."""
    seconds = settings.LEASE_SECONDS if seconds is None else seconds
    taken = rows.filter(free()).update(
        lease_owner=owner,
        lease_until=db_now(plus=seconds),
        lease_fence=F("lease_fence") + 1,
        attempts=F("attempts") + 1,
    )
    if not taken:
        return None
    return rows.filter(lease_owner=owner).values_list("lease_fence", flat=True).first()


def renew(rows: QuerySet[M], *, owner: str, fence: int, seconds: float | None = None) -> bool:
    """Hold the row longer; False if it is no longer ours."""
    seconds = settings.LEASE_SECONDS if seconds is None else seconds
    held = rows.filter(lease_owner=owner, lease_fence=fence, lease_until__gt=db_now())
    return bool(held.update(lease_until=db_now(plus=seconds)))


def release(rows: QuerySet[M], *, owner: str, fence: int) -> bool:
    """Let the row go; the fence stays. False if it was no longer ours."""
    return bool(rows.filter(lease_owner=owner, lease_fence=fence).update(lease_owner="", lease_until=None))
