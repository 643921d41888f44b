"""API tokens: made, used, revoked. A token never has a right that its owner has not at that moment."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db.models import F

from accounts.models import SignInTries, Token
from accounts.rights import has, verbs
from accounts.secrets import FORM, is_right, mint, parted
from accounts.selectors import get_user, hash_of, person_of
from accounts.types import READ, TOKEN_VERBS, Scope
from audit.services import about, record, verb
from meshui.lib.clock import db_now, now, read_db_now
from meshui.lib.errors import DeniedError, InvalidError, MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from audit.types import Actor

LONGEST: Final = timedelta(days=365)
MOST: Final = 50
"""Live tokens of one person."""
USED_EVERY: Final = 60.0
FAILURES: Final = 20
FAILURES_WITHIN: Final = 60.0


class NewToken(NamedTuple):
    """What somebody asks for. `cidrs` empty: from anywhere; `scope` empty: wherever the owner may."""

    name: str
    verbs: Sequence[str]
    lasts: timedelta
    scope: dict[str, list[str]] | None = None
    cidrs: Sequence[str] = ()


class MadeToken(NamedTuple):
    """The row and its text, which stands nowhere else."""

    token: Token
    text: str


@verb("accounts.token.created")
def make_token(*, actor: Actor, new: NewToken) -> MadeToken:
    """A token of the person who asks. Looking is always part of it.

    Raises DeniedError for whoever is no person or asks for a right they have not; InvalidError for bad input.
    """
    owner = get_user(person_of(actor, "Only a person makes tokens.", mend="Sign in on the pages."))
    about(owner)
    wanted = _wanted(actor, new.verbs)
    if not new.name.strip():
        raise InvalidError("A token needs a name.", mend="Say what uses it.")
    if not timedelta() < new.lasts <= LONGEST:
        raise InvalidError("A token lasts a day at least and a year at most.", mend="Choose fewer days.")
    if Token.objects.live().filter(owner=owner).count() >= MOST:
        raise InvalidError(f"You have {MOST} tokens.", mend="Revoke those that nothing uses.")
    made = mint()
    token = Token.objects.create(
        owner=owner,
        name=new.name.strip(),
        key=made.key,
        pepper=made.pepper,
        digest=made.digest,
        verbs=wanted,
        scope=_bounds(new.scope).as_json(),
        cidrs=_networks(new.cidrs),
        expires_at=read_db_now() + new.lasts,
    )
    kept = {"verbs": wanted, "scope": token.scope, "cidrs": token.cidrs, "expires": token.expires_at.isoformat()}
    record("accounts.token.created", actor=actor, target=token, **kept)
    return MadeToken(token, made.text)


@verb("accounts.token.revoked")
def revoke_token(*, actor: Actor, token_id: UUID | str) -> Token:
    """End a token; it is dead at its next use. Its owner may, and Access admins.

    Raises MissingError for somebody else's, DeniedError for a token that would revoke one. Twice is once.
    """
    token = Token.objects.select_related("owner").filter(pk=token_id).first()
    if token is None or not (str(token.owner_id) == actor.user_id or has(actor, "access.manage")):
        raise MissingError("There is no such token.", mend="It may be another person's; look at the list.")
    about(token)
    if actor.kind == "token":
        raise DeniedError("A token revokes no token.", mend="Sign in on the pages.")
    _revoke(actor, token, "")
    return token


@verb("accounts.token.revoked")
def revoke_leaked(*, actor: Actor, text: str) -> None:
    """End the token that was sent in an address: it stands in logs and histories now. Unknown ones: nothing is done."""
    token = _found(text)
    if token is not None:
        _revoke(actor, token, "It was sent in an address.")


def leaked_in(address: str) -> str:
    """The token that stands in an address; empty if none does."""
    found = FORM.search(address)
    return found[0] if found else ""


def use_token(text: str, address: str) -> Token | None:
    """The live token with this text, used from `address`; None, and counted, for any other: one answer for all.

    Its last use is noted once a minute. Two queries, a third when it is noted.
    """
    token = _found(text)
    if token is None or not token.is_live or not _may_come_from(token, address):
        _count_failure(address)
        return None
    used = Token.objects.filter(pk=token.pk).exclude(last_used_at__gt=db_now(plus=-USED_EVERY))
    if token.last_used_at is None or token.last_used_at < now() - timedelta(seconds=USED_EVERY):
        used.update(last_used_at=db_now())
    return token


def is_flooding(address: str) -> bool:
    """Whether `address` sent twenty wrong tokens within a minute. One query."""
    recent = SignInTries.objects.filter(pk=_bucket(address), since__gt=db_now(plus=-FAILURES_WITHIN))
    return recent.filter(count__gte=FAILURES).exists()


def _found(text: str) -> Token | None:
    """The row with this key and secret. An unknown key costs as much as a known one."""
    parts = parted(text)
    if parts is None:
        return None
    key, secret = parts
    token = Token.objects.select_related("owner").filter(key=key).first()
    pepper, digest = (token.pepper, token.digest) if token else ("", "")
    return token if is_right(key, secret, pepper=pepper, digest=digest) else None


def _may_come_from(token: Token, address: str) -> bool:
    if not token.cidrs:
        return True
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in ipaddress.ip_network(cidr) for cidr in token.cidrs)


def _count_failure(address: str) -> None:
    bucket = _bucket(address)
    SignInTries.objects.filter(pk=bucket, since__lte=db_now(plus=-FAILURES_WITHIN)).delete()
    row = SignInTries(bucket=bucket, since=db_now(), count=0)
    SignInTries.objects.bulk_create([row], ignore_conflicts=True)
    SignInTries.objects.filter(pk=bucket).update(count=F("count") + 1)


def _bucket(address: str) -> str:
    return hash_of(f"token\n{address}")


def _revoke(actor: Actor, token: Token, why: str) -> None:
    """By compare-and-swap, so that it is recorded once."""
    if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=db_now(), revoked_why=why):
        record("accounts.token.revoked", actor=actor, target=token, reason=why, owner=token.owner.username)


def _wanted(actor: Actor, asked: Sequence[str]) -> list[str]:
    """What the token may do: what was asked, and looking. Nothing that no token may, nothing the owner may not."""
    wanted = sorted({*asked, READ})
    never = [each for each in wanted if each not in TOKEN_VERBS]
    if never:
        raise InvalidError(f"No token may {never[0]}.", mend="Leave it out: a person does that.")
    lacking = [each for each in wanted if each not in verbs(actor)]
    if lacking:
        raise DeniedError(f"You may not {lacking[0]} yourself.", mend="Ask an Access admin for a grant first.")
    return wanted


def _bounds(scope: dict[str, list[str]] | None) -> Scope:
    try:
        return Scope.parsed(scope or {})
    except ValueError as error:
        raise InvalidError(str(error)) from error


def _networks(cidrs: Sequence[str]) -> list[str]:
    found = []
    for each in cidrs:
        try:
            found.append(str(ipaddress.ip_network(each)))
        except ValueError as error:
            raise InvalidError(f"{each} is no network.", mend="Write such as 10.1.0.0/16 or 192.0.2.7/32.") from error
    return sorted(set(found))
