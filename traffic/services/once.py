"""Requests that may be sent twice: a key answers its first result for a day. Taken and kept inside the verb itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshui.lib.clock import db_now, read_db_now
from traffic.models import Change, IdempotencyKey
from traffic.selectors import hash_of_key, result_in

if TYPE_CHECKING:
    from audit.types import Actor
    from traffic.types import Once

KEPT_SECONDS: Final = 24 * 3600.0


def first_result(actor: Actor, once: Once | None) -> Change | None:
    """The change that this very request led to before; None: it is the first, and its key is taken. Inside a verb.

    Two at once: the second waits here until the first is committed or rolled back. A refusal gives the key back.
    Raises KeyReusedError for another request under the same key.
    """
    if once is None:
        return None
    key_hash = hash_of_key(actor.user_id, once.key)
    taken = IdempotencyKey(key_hash=key_hash, body_hash=once.body_hash, created_at=read_db_now())
    IdempotencyKey.objects.bulk_create([taken], ignore_conflicts=True)
    number = result_in(IdempotencyKey.objects.get(pk=key_hash), once)
    return None if number is None else Change.objects.get(number=number)


def keep_result(actor: Actor, once: Once | None, change: Change) -> None:
    """What the request led to, beside the key that first_result took. Inside the same verb."""
    if once is not None:
        IdempotencyKey.objects.filter(pk=hash_of_key(actor.user_id, once.key)).update(number=change.number)


def forget_old_keys() -> int:
    """Keys that were kept for a day; how many."""
    count, _ = IdempotencyKey.objects.filter(created_at__lt=db_now(plus=-KEPT_SECONDS)).delete()
    return count
