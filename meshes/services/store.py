"""Diff-only writes: a row is written when its content moved, marked gone when a whole list no longer has it, else left.

One short transaction per kind; a list that failed never gets here, so it marks nothing gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import transaction

from meshes.models import ReadRow, Route, RouteBackend, backends_of
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt

    from clusters.models import Cluster

M = TypeVar("M", bound=ReadRow)
BATCH = 200
Wanted = Mapping[Any, dict[str, Any]]
"""Tuples of key values → column values."""


@dataclass
class _Moves(Generic[M]):
    """What is to be written."""

    fresh: list[M] = field(default_factory=list)
    moved: list[M] = field(default_factory=list)
    gone: list[object] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.fresh) + len(self.moved) + len(self.gone)


def store_rows(model: type[M], cluster: Cluster, wanted: Wanted, *, key: tuple[str, ...]) -> int:
    """Make the rows of `cluster` as `wanted` (key values → column values); how many were written.

    Two reads and, when nothing moved, no write at all.
    """
    manager = model._default_manager  # noqa: SLF001 - Django's documented way to a model's manager
    with transaction.atomic():
        now = read_db_now()
        known = manager.filter(cluster=cluster).values_list("pk", "content_hash", "gone_at", *key)
        moves = _sorted_out(model, cluster, wanted, {row[3:]: row[:3] for row in known}, now)
        manager.bulk_create(moves.fresh, batch_size=BATCH)
        names = [f.name for f in model._meta.concrete_fields if not f.primary_key]  # noqa: SLF001 - Django's public _meta
        manager.bulk_update(moves.moved, names, batch_size=BATCH)
        for start in range(0, len(moves.gone), BATCH):
            manager.filter(pk__in=moves.gone[start : start + BATCH]).update(gone_at=now)
        if model is Route:
            _store_backends([row for row in (*moves.fresh, *moves.moved) if isinstance(row, Route)])
    return len(moves)


def _sorted_out(
    model: type[M],
    cluster: Cluster,
    wanted: Wanted,
    known: dict[tuple[Any, ...], tuple[Any, ...]],
    now: dt.datetime,
) -> _Moves[M]:
    moves: _Moves[M] = _Moves()
    for found, values in wanted.items():
        content = content_hash(values)
        pk, kept_hash, gone_at = known.get(found, (None, "", None))
        if pk is not None and kept_hash == content and gone_at is None:
            continue
        row = model(cluster=cluster, content_hash=content, read_at=now, **values)
        if pk is None:
            moves.fresh.append(row)
        else:
            row.pk = pk
            moves.moved.append(row)
    moves.gone = [row[0] for found, row in known.items() if found not in wanted and row[2] is None]
    return moves


def content_hash(values: dict[str, Any]) -> str:
    """SHA-256 over the values, hex; rows of others stand by their key."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=lambda v: str(getattr(v, "pk", v)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _store_backends(routes: list[Route]) -> None:
    for start in range(0, len(routes), BATCH):
        RouteBackend.objects.filter(route__in=[route.pk for route in routes[start : start + BATCH]]).delete()
    RouteBackend.objects.bulk_create((b for route in routes for b in backends_of(route)), batch_size=BATCH)
