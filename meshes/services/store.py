"""Diff-only writes: a row is written when its content moved, marked gone when a whole list no longer has it, else left.

One short transaction per kind; a list that failed never gets here, so it marks nothing gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import transaction

from meshes.models import ReadRow, Route, RouteBackend, backends_of
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Hashable

    from clusters.models import Cluster

M = TypeVar("M", bound=ReadRow)
BATCH = 500
Wanted = Mapping["Hashable", dict[str, Any]]


def store_rows(model: type[M], cluster: Cluster, wanted: Wanted, *, key: tuple[str, ...]) -> int:
    """Make the rows of `cluster` as `wanted` (key values → column values); how many were written.

    Two reads and, when nothing moved, no write at all.
    """
    with transaction.atomic():
        now = read_db_now()
        rows = {tuple(getattr(r, f) for f in key): r for r in model._default_manager.filter(cluster=cluster)}  # noqa: SLF001
        fresh, moved = _sorted_out(model, cluster, wanted, rows, now)
        gone = [row for found, row in rows.items() if found not in wanted and row.gone_at is None]
        for row in gone:
            row.gone_at = now
        manager = model._default_manager  # noqa: SLF001 - the documented way to a model's manager
        manager.bulk_create(fresh, batch_size=BATCH)
        names = [f.name for f in model._meta.concrete_fields if not f.primary_key]  # noqa: SLF001 - Django's public _meta
        manager.bulk_update(moved, names, batch_size=BATCH)
        manager.filter(pk__in=[row.pk for row in gone]).update(gone_at=now)
        if model is Route:
            _store_backends([row for row in (*fresh, *moved) if isinstance(row, Route)])
    return len(fresh) + len(moved) + len(gone)


def _sorted_out(
    model: type[M], cluster: Cluster, wanted: Wanted, rows: dict[tuple[Any, ...], M], now: dt.datetime
) -> tuple[list[M], list[M]]:
    fresh: list[M] = []
    moved: list[M] = []
    for found, values in wanted.items():
        content = content_hash(values)
        row = rows.get(found)  # type: ignore[call-overload]  # keys are tuples on both sides
        if row is None:
            fresh.append(model(cluster=cluster, content_hash=content, read_at=now, **values))
        elif row.content_hash != content or row.gone_at is not None:
            for name, value in values.items():
                setattr(row, name, value)
            row.content_hash, row.read_at, row.gone_at = content, now, None
            moved.append(row)
    return fresh, moved


def content_hash(values: dict[str, Any]) -> str:
    """SHA-256 over the values, hex; rows of others stand by their key."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=lambda v: str(getattr(v, "pk", v)))
    return hashlib.sha256(text.encode()).hexdigest()


def _store_backends(routes: list[Route]) -> None:
    RouteBackend.objects.filter(route__in=[route.pk for route in routes]).delete()
    RouteBackend.objects.bulk_create((b for route in routes for b in backends_of(route)), batch_size=BATCH)
