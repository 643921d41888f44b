"""Sign-ins: counted before the password is looked at, and noted."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db.models import F

from accounts.models import SignInTries
from accounts.selectors import hash_of
from audit.services import record, verb
from audit.types import About
from meshui.lib.clock import db_now

if TYPE_CHECKING:
    from audit.types import Actor


TRIES_WINDOW: Final = timedelta(minutes=15)
TRIES_PER_ACCOUNT: Final = 10
TRIES_PER_ADDRESS: Final = 30


class TryAnswer(NamedTuple):
    """Whether a try to sign in may go on, and whether it is the last for now."""

    is_allowed: bool
    is_last: bool


def reserve_try(*, username: str, device: str, address: str) -> TryAnswer:
    """Count a try to sign in before the password is looked at, so that many at once cannot slip through.

    At most 10 per account and device (unknown devices share one count, so nobody locks a known device out by name) and
    30 per address (IPv6: per /64) in 15 minutes. The counters are rows: no cache evicts them.
    """
    SignInTries.objects.filter(since__lte=db_now(plus=-TRIES_WINDOW.total_seconds())).delete()
    buckets = _buckets(username, device, address)
    rows = [SignInTries(bucket=bucket, since=db_now(), count=0) for bucket in buckets]
    SignInTries.objects.bulk_create(rows, ignore_conflicts=True)
    taken = [
        SignInTries.objects.filter(pk=bucket, count__lt=limit).update(count=F("count") + 1)
        for bucket, limit in buckets.items()
    ]
    counts = dict(SignInTries.objects.filter(pk__in=buckets).values_list("pk", "count"))
    is_last = any(counts.get(bucket) == limit for bucket, limit in buckets.items())
    return TryAnswer(is_allowed=all(taken), is_last=is_last)


def give_back_try(*, username: str, device: str, address: str) -> None:
    """A try that succeeded does not count; those before it still do."""
    buckets = _buckets(username, device, address)
    SignInTries.objects.filter(pk__in=buckets, count__gt=0).update(count=F("count") - 1)


@verb("accounts.session.started")
def record_sign_in(*, actor: Actor, device: str) -> None:
    """Note that `actor` signed in. `device` is `known` or `new`."""
    subject = About(kind="user", id=actor.user_id, name=actor.name)
    record("accounts.session.started", actor=actor, target=subject, device=device)


@verb("accounts.session.started")
def record_failed_sign_in(*, actor: Actor, is_last: bool) -> None:
    """Note a wrong name or password, alike; `is_last`: further tries are refused for a while and not noted."""
    reason = "Wrong name or password." + (" Further tries are refused for 15 minutes." if is_last else "")
    subject = About(kind="user", id="", name=actor.name)
    record("accounts.session.started", actor=actor, target=subject, reason=reason, outcome="failure")


@verb("accounts.session.ended")
def record_sign_out(*, actor: Actor) -> None:
    """Note that `actor` signed out."""
    record("accounts.session.ended", actor=actor, target=About(kind="user", id=actor.user_id, name=actor.name))


def _buckets(username: str, device: str, address: str) -> dict[str, int]:
    """Bucket → its limit. Names and addresses are kept as hashes only."""
    account = f"account\n{username.strip().lower()}\n{device}"
    return {hash_of(account): TRIES_PER_ACCOUNT, hash_of(f"address\n{_network(address)}"): TRIES_PER_ADDRESS}


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6 and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed.ipv4_mapped or parsed) if parsed.version == 6 else str(parsed)
