"""Who is asking, and who may do what: reading accounts."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.db.models import Prefetch

from accounts.models import Grant, OneTimeLink, Token, User
from accounts.types import ROLE_WORDS
from audit.types import Actor, Auth, Source
from meshui.lib.clock import db_now
from meshui.lib.errors import DeniedError, GoneError, MissingError

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from audit.types import Origin

USER_AGENT_LENGTH = 256


def signed_in(request: HttpRequest) -> User:
    """The person who sent `request`. Raises DeniedError if nobody is signed in."""
    if not request.user.is_authenticated:
        raise DeniedError("Nobody is signed in.", mend="Sign in and try again.")
    return request.user


def actor_of(request: HttpRequest) -> Actor:
    """Who sent `request` as an actor, a person or a token: roles now, how and from where they came. One query."""
    user = signed_in(request)
    token = getattr(user, "token", None)
    if token is not None:
        return _token_as_actor(request, token)
    session = request.session.session_key or ""
    records = get_authentication_records(request, user)
    auth = Auth(
        methods=tuple(sorted({str(record["method"]) for record in records})),
        session_hash=hashlib.sha256(session.encode()).hexdigest() if session else "",
    )
    return Actor(
        kind="person",
        name=user.username,
        user_id=str(user.pk),
        roles=_roles(user),
        auth=auth,
        source=source_of(request),
        request_id=request_id_of(request),
        origin="api" if request.path.startswith("/api/v1/") else "ui",
        idp_sub=user.idp_sub,
    )


def _token_as_actor(request: HttpRequest, token: Token) -> Actor:
    """A token acts in its own name, for its owner: what it writes is the owner's."""
    owner = token.owner
    return Actor(
        kind="token",
        name=token.name,
        user_id=str(owner.pk),
        roles=_roles(owner),
        auth=Auth(methods=("token",), token_key=token.key),
        source=source_of(request),
        request_id=request_id_of(request),
        on_behalf_of=owner.username,
        origin="api",
        idp_sub=owner.idp_sub,
    )


def actor_for(user: User, *, origin: Origin = "ui") -> Actor:
    """`user` as an actor where there is no request: commands, seeds, tests. One query."""
    return Actor(
        kind="person",
        name=user.username,
        user_id=str(user.pk),
        roles=_roles(user),
        origin=origin,
        idp_sub=user.idp_sub,
    )


def stranger_of(request: HttpRequest, name: str) -> Actor:
    """Whoever claims to be `name` and is not signed in: for failed sign-ins and one-time links."""
    source, request_id = source_of(request), request_id_of(request)
    return Actor(kind="person", name=name[:150] or "nobody", source=source, request_id=request_id, origin="ui")


def source_of(request: HttpRequest) -> Source:
    """Where `request` came from. Of X-Forwarded-For only the entry of our own outermost proxy is believed.

    With fewer entries than proxies the address of the peer counts and `proxy_chain_ok` is False.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    agent = request.headers.get("User-Agent", "")[:USER_AGENT_LENGTH]
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if not proxies:
        return Source(peer, agent)
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    named = hops[-proxies] if len(hops) >= proxies else ""
    try:
        return Source(str(ipaddress.ip_address(named)), agent)
    except ValueError:
        return Source(peer, agent, proxy_chain_ok=False)


def request_id_of(request: HttpRequest) -> str:
    """The id that the guard gave to `request`; empty outside of it."""
    return str(getattr(request, "request_id", ""))


def get_user(user_id: UUID | str) -> User:
    """The account with this id. Raises MissingError."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise MissingError("There is no such person.", mend="Look at the list under Access.")
    return user


def person_of(actor: Actor, refusal: str, *, mend: str = "") -> str:
    """The id of the person who acts. Raises DeniedError with `refusal` for a token, a service, the system."""
    if actor.kind != "person" or not actor.user_id:
        raise DeniedError(refusal, mend=mend)
    return actor.user_id


def list_people() -> QuerySet[User]:
    """Everybody with their grants (`person.grants.all`), by name. Two queries. For those with access.manage."""
    grants = Grant.objects.order_by("role", "created_at")
    return User.objects.prefetch_related(Prefetch("grants", queryset=grants)).order_by("username")


def grants_in_words(user: User) -> list[tuple[Grant, str]]:
    """What a person was granted and is not over, each with what it lets them do. One query."""
    return [(grant, ROLE_WORDS[grant.role]) for grant in Grant.objects.live().of(user.pk)]


def list_tokens(owner: User | None = None) -> QuerySet[Token]:
    """All tokens with their owners, or those of one person."""
    tokens = Token.objects.select_related("owner")
    return tokens if owner is None else tokens.filter(owner=owner)


def is_unclaimed() -> bool:
    """Whether there is no user yet, so that the first administrator may still be made. One query."""
    return not User.objects.exists()


def hash_of(token: str) -> str:
    """What is kept of a one-time token."""
    return hashlib.sha256(token.encode()).hexdigest()


def get_link(token: str, *, is_invitation: bool) -> OneTimeLink:
    """The unused link with this token: an invitation of its user, or the one that makes the first administrator.

    Raises GoneError for one that is used, over, unknown or of the other kind, alike. One query.
    """
    live = OneTimeLink.objects.filter(used_at__isnull=True, expires_at__gt=db_now())
    found = live.filter(token_hash=hash_of(token), user__isnull=not is_invitation)
    link = found.select_related("user").first()
    if link is None:
        raise GoneError("This link was used, has expired or was never made.", mend="Ask for a new one.")
    return link


def _roles(user: User) -> tuple[str, ...]:
    return tuple(sorted(set(Grant.objects.live().of(user.pk).values_list("role", flat=True))))
