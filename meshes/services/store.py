"""Diff-only writes: a row is written when its content moved, marked gone when a whole list no longer has it, else left.

Short transactions; a list that failed marks nothing gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from django.db import transaction

from meshes.models import ReadRow, Route, RouteBackend
from meshes.services import managing
from meshes.types import WeightedBackend  # noqa: TC001 - msgspec looks it up
from meshui.lib import upserts
from meshui.lib.clock import read_db_now
from meshui.lib.ids import new_id
from meshui.lib.typed import decoder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from django.db.models import Manager, QuerySet

    from clusters.models import Cluster

M = TypeVar("M", bound=ReadRow)
T = TypeVar("T")
ASKED = 500
Values = dict[str, Any]
Wanted = Mapping[Any, Values]
"""Tuples of key values → column values."""
UID = ("uid",)
ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=lambda value: str(getattr(value, "pk", value)))
BACKEND = ("route", "rule", "position", "key", "name", "weight_bp", "native_weight")


class _Rule(msgspec.Struct, gc=False):
    """As much of a neutral rule as its backends need."""

    name: str
    backends: tuple[WeightedBackend, ...]


class _Rules(msgspec.Struct, gc=False):
    rules: list[_Rule]


RULES = decoder_of(_Rules)


def store_rows(model: type[M], cluster: Cluster, wanted: Wanted, *, key: tuple[str, ...]) -> int:
    """Make the rows of `cluster` as `wanted` (key values → column values), and no others; how many were written.

    One read and, when nothing moved, no write at all.
    """
    with transaction.atomic():
        known = _known(_rows(model).filter(cluster=cluster), key)
        absent = [row[0] for found, row in known.items() if found not in wanted and row[2] is None]
        written = _write(model, cluster, _moves(wanted, known))
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
        return _write(model, cluster, _moves(wanted, known))


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
    return hashlib.sha256(ENCODER.encode(values)).hexdigest()


def _rows(model: type[M]) -> Manager[M]:
    return model._default_manager  # noqa: SLF001 - Django's documented way to a model's manager


def _known(rows: QuerySet[M], key: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Key values → (pk, hash, gone_at)."""
    return {row[3:]: row[:3] for row in rows.values_list("pk", "content_hash", "gone_at", *key)}


def _moves(wanted: Wanted, known: Mapping[tuple[Any, ...], tuple[Any, ...]]) -> list[Values]:
    """What is to be written, with its key, without cluster and time. `is_new`: no row has that key."""
    moved = []
    for found, values in wanted.items():
        content = content_hash(values)
        pk, kept_hash, gone_at = known.get(found, (None, "", None))
        if pk is not None and kept_hash == content and gone_at is None:
            continue
        moved.append({**values, "id": pk or new_id(), "content_hash": content, "is_new": pk is None})
    return moved


def _write(model: type[M], cluster: Cluster, moved: list[Values]) -> int:
    """One upsert a batch: a row that is known keeps its key, and with it what points to it."""
    if not moved:
        return 0
    given = {"cluster": cluster, "read_at": read_db_now(), "gone_at": None}
    left = {field.name: field.get_default() for field in model._meta.concrete_fields}  # noqa: SLF001 - public _meta
    with transaction.atomic():
        upserts.upsert_rows(model, tuple(left), (left | row | given for row in moved))
        if model is Route:
            _store_backends(moved)
            managing.judge(cluster, (row["name"] for row in moved))
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


def _store_backends(routes: list[Values]) -> None:
    for some in _batches((route["id"] for route in routes if not route["is_new"]), ASKED):
        RouteBackend.objects.filter(route__in=some).delete()
    upserts.insert_rows(RouteBackend, BACKEND, (row for route in routes for row in backends_of(route)))


def backends_of(route: Values) -> Iterator[Values]:
    """Backend rows of a route, in order; of its values no more than `id` and `neutral`, encoded, count."""
    if route["neutral"] is None:
        return
    backends = ((rule, each) for rule in RULES.decode(route["neutral"]).rules for each in rule.backends)
    for position, (rule, each) in enumerate(backends):
        yield {
            "route": route["id"],
            "rule": rule.name,
            "position": position,
            "key": each.backend.key,
            "name": each.backend.name,
            "weight_bp": each.weight_bp,
            "native_weight": each.native_weight or "",
        }


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
