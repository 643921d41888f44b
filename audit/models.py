"""Rows of history. Event and Head are the ledger (made by SQL, append-only); EventIndex serves lists."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import models

IS_POSTGRESQL: Final = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
# PostgreSQL keeps the ledger in a schema of its own; SQLite has none. The migration says the same.
EVENT_TABLE: Final = '"audit"."event"' if IS_POSTGRESQL else "audit_event"
HEAD_TABLE: Final = '"audit"."head"' if IS_POSTGRESQL else "audit_head"


class Event(models.Model):
    """One link of the chain: hash = SHA-256(0x00 ‖ hash of the link before ‖ body), body as stored."""

    seq = models.BigIntegerField(primary_key=True)
    hash = models.BinaryField(unique=True)
    body = models.TextField()

    class Meta:
        managed = False
        db_table = EVENT_TABLE

    def __str__(self) -> str:
        return f"event {self.seq}"


class Head(models.Model):
    """The end of the chain: one row, locked by whoever appends."""

    one = models.BooleanField(primary_key=True, default=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = HEAD_TABLE

    def __str__(self) -> str:
        return f"head at {self.seq}"


class Blob(models.Model):
    """A body kept by its content: the key is the SHA-256 of the text."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    content = models.TextField()

    def __str__(self) -> str:
        return self.sha256


class EventIndex(models.Model):
    """One event for lists and filters: written with it, rebuilt from the bodies, proves nothing."""

    seq = models.BigIntegerField(primary_key=True)
    event_id = models.UUIDField()
    time = models.DateTimeField()
    code = models.CharField(max_length=80)
    action = models.CharField(max_length=80)
    outcome = models.CharField(max_length=10)
    origin = models.CharField(max_length=10)
    reason = models.TextField(blank=True)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=200)
    on_behalf_of = models.CharField(max_length=200, blank=True)
    object_kind = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=300, blank=True)
    change_id = models.CharField(max_length=64, blank=True)
    change_number = models.BigIntegerField(null=True, blank=True)
    cluster_id = models.CharField(max_length=64, blank=True)
    cluster_name = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["action", "seq"], name="audit_ix_action"),
            models.Index(fields=["outcome", "seq"], name="audit_ix_outcome"),
            models.Index(fields=["actor_name", "seq"], name="audit_ix_actor"),
            models.Index(fields=["object_kind", "object_id", "seq"], name="audit_ix_object"),
            models.Index(fields=["change_id", "seq"], name="audit_ix_change"),
            models.Index(fields=["change_number", "seq"], name="audit_ix_number"),
            models.Index(fields=["cluster_id", "seq"], name="audit_ix_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.code}"
