"""Diff-only writes: a row is written when its content moved, marked gone when a whole list no longer has it, else left.

Short transactions; a list that failed marks nothing gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import transaction

from meshes.models import ReadRow, Route, RouteBackend, backends_of
from meshes.services import managing
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Iterator

    from django.db.models import Manager, QuerySet

    from clusters.models import Cluster

M = TypeVar("M", bound=ReadRow)
T = TypeVar("T")
BATCH = 200
ASKED = 500
Wanted = Mapping[Any, dict[str, Any]]
"""Tuples of key values → column values."""
UID = ("uid",)


def store_rows(model: type[M], cluster: Cluster, wanted: Wanted, *, key: tuple[str, ...]) -> int:
    """Make the rows of `cluster` as `wanted` (key values → column values), and no others; how many were written.

    One read and, when nothing moved, no write at all.
    """
    with transaction.atomic():
        known = _known(_rows(model).filter(cluster=cluster), key)
        absent = [row[0] for found, row in known.items() if found not in wanted and row[2] is None]
        written = _write(model, cluster, _moves(model, cluster, wanted, known))
        return written + _mark_gone(model, cluster, absent)


def upsert_rows(model: type[M], cluster: Cluster, wanted: Wanted, *, key: tuple[str, ...] = UID) -> int:
    """Make these rows as `wanted`, leaving all others; how many were written. Keys of one column, or of all rows."""
    if not wanted:
        return 0
    with transaction.atomic():
        known: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        if len(key) == 1:
            for keys in _batches((found[0] for found in wanted), ASKED):
                known |= _known(_rows(model).filter(**{"cluster": cluster, f"{key[0]}__in": keys}), key)
        else:
            known = _known(_rows(model).filter(cluster=cluster), key)
        return _write(model, cluster, _moves(model, cluster, wanted, known))


def mark_gone(model: type[M], cluster: Cluster, uids: Iterable[str]) -> int:
    """The objects with these uids are no longer there; how many rows say so now."""
    pks: list[Any] = []
    for some in _batches(uids, ASKED):
        rows = _rows(model).filter(cluster=cluster, uid__in=some, gone_at=None)
        pks += rows.values_list("pk", flat=True)
    return _mark_gone(model, cluster, pks)


def mark_absent(model: type[M], cluster: Cluster, present: Collection[str], **narrow: Any) -> int:
    """Of the rows that `narrow` names: the objects with other uids than `present` are no longer there."""
    live = _rows(model).filter(cluster=cluster, gone_at=None, **narrow).values_list("pk", "uid")
    return _mark_gone(model, cluster, [pk for pk, uid in live if uid not in present])


def content_hash(values: dict[str, Any]) -> str:
    """SHA-256 over the values, hex; rows of others stand by their key."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=lambda v: str(getattr(v, "pk", v)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _rows(model: type[M]) -> Manager[M]:
    return model._default_manager  # noqa: SLF001 - Django's documented way to a model's manager


def _known(rows: QuerySet[M], key: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Key values → (pk, hash, gone_at)."""
    return {row[3:]: row[:3] for row in rows.values_list("pk", "content_hash", "gone_at", *key)}


def _moves(
    model: type[M], cluster: Cluster, wanted: Wanted, known: Mapping[tuple[Any, ...], tuple[Any, ...]]
) -> list[M]:
    """What is to be written, unsaved, without the time."""
    moved = []
    for found, values in wanted.items():
        content = content_hash(values)
        pk, kept_hash, gone_at = known.get(found, (None, "", None))
        if pk is not None and kept_hash == content and gone_at is None:
            continue
        row = model(cluster=cluster, content_hash=content, **values)
        row.pk = pk or row.pk
        moved.append(row)
    return moved


def _write(model: type[M], cluster: Cluster, moved: list[M]) -> int:
    """One upsert a batch: a row that is known keeps its key, and with it what points to it."""
    if not moved:
        return 0
    now: dt.datetime = read_db_now()
    for row in moved:
        row.read_at = now
    names = [f.name for f in model._meta.concrete_fields if not f.primary_key]  # noqa: SLF001 - Django's public _meta
    with transaction.atomic():
        upsert: dict[str, Any] = {"update_conflicts": True, "unique_fields": ["id"], "update_fields": names}
        _rows(model).bulk_create(moved, batch_size=BATCH, **upsert)
        routes: list[Route] = [row for row in moved if isinstance(row, Route)]
        if routes:
            _store_backends(routes)
            managing.judge(cluster, (row.name for row in routes))
    return len(moved)


def _mark_gone(model: type[M], cluster: Cluster, pks: list[Any]) -> int:
    if pks:
        now = read_db_now()
        for some in _batches(pks, ASKED):
            rows = _rows(model).filter(pk__in=some)
            rows.update(gone_at=now)
            if model is Route:
                managing.judge(cluster, rows.values_list("name", flat=True))
    return len(pks)


def _store_backends(routes: list[Route]) -> None:
    for some in _batches((route.pk for route in routes), ASKED):
        RouteBackend.objects.filter(route__in=some).delete()
    RouteBackend.objects.bulk_create((b for route in routes for b in backends_of(route)), batch_size=BATCH)


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
