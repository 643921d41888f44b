"""The Sync rows: one per cluster and kind, with what came of the last reading and when it last went well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshes.models import CONNECTION, Sync
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from clusters.models import Cluster
    from meshes.adapters.base import Problem

MAX_ERROR = 2000
MAX_PROBLEMS = 50


def note_connection(cluster: Cluster, error: str) -> None:
    """Whether a client for the cluster could be made."""
    now = read_db_now()
    _keep(cluster, CONNECTION, now, error=error, **({} if error else {"succeeded_at": now}))


def note_error(cluster: Cluster, resource: str, started: dt.datetime, error: str) -> None:
    """A kind that could not be listed; when it last went well stays."""
    _keep(cluster, resource, started, error=error)


def note_list(cluster: Cluster, resource: str, started: dt.datetime, *, count: int, version: str) -> None:
    """A kind that was listed whole."""
    _keep(cluster, resource, started, error="", succeeded_at=read_db_now(), count=count, resource_version=version[:64])


def note_stored(cluster: Cluster, resource: str, *, written: int, problems: Sequence[Problem] = ()) -> None:
    """What became of a kind: how many rows were written, and what could not be read of it."""
    kept = [{"where": p.where, "message": p.message} for p in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        kept.append({"where": resource, "message": f"and {len(problems) - MAX_PROBLEMS} more"})
    Sync.objects.filter(cluster=cluster, resource=resource).update(written=written, problems=kept)


def _keep(cluster: Cluster, resource: str, started: dt.datetime, *, error: str, **values: Any) -> None:
    values |= {"error": error[:MAX_ERROR], "started_at": started, "finished_at": read_db_now()}
    Sync.objects.update_or_create(cluster=cluster, resource=resource, defaults=values)
