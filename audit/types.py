"""Who acted, and on what: values that are copied into history. No Django."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject

ActorKind = Literal["person", "token", "service", "system"]
Outcome = Literal["success", "failure", "denied", "unknown"]
Origin = Literal["ui", "api", "system", "observed"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from. `proxy_chain_ok`: the address was taken from trusted proxies only."""

    ip: str = ""
    user_agent: str = ""
    proxy_chain_ok: bool = True


@dataclass(frozen=True, slots=True)
class Auth:
    """How the actor signed in: methods such as `password`; the session as a hash, never itself."""

    methods: tuple[str, ...] = ()
    session_hash: str = ""
    token_key: str = ""
    step_up_age_s: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. Every verb takes one; views make it from the request once; tasks use SYSTEM.

    `user_id` is the account's id as text, empty for the system. `on_behalf_of` names the human behind a job.
    """

    kind: ActorKind
    name: str
    user_id: str = ""
    roles: tuple[str, ...] = ()
    auth: Auth = field(default_factory=Auth)
    source: Source = field(default_factory=Source)
    request_id: str = ""
    on_behalf_of: str = ""
    origin: Origin = "system"
    idp_sub: str = ""


SYSTEM = Actor(kind="system", name="MeshUI")


@dataclass(frozen=True, slots=True)
class ChangeRef:
    """The change an event belongs to."""

    id: str
    number: int = 0
    revision: int = 0
    plan_digest: str = ""
    step: str = ""
    fence: int = 0


@dataclass(frozen=True, slots=True)
class TargetRef:
    """One native object an event touches. Empty = does not apply; generations and versions before and after a write."""

    cluster_id: str
    cluster: str = ""
    env: str = ""
    mesh: str = ""
    cluster_uid: str = ""
    gvk: str = ""
    ns: str = ""
    name: str = ""
    uid: str = ""
    gen_before: int = 0
    gen_after: int = 0
    rv_before: str = ""
    rv_after: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What an event is about: the object by kind, id and name as values, its change and targets."""

    kind: str
    id: str
    name: str
    change: ChangeRef | None = None
    targets: tuple[TargetRef, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field that moved, as text. Secrets never get here: callers pass allow-listed fields."""

    path: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an event adds to its sentence: fields that moved, bodies kept by content, the policy in force."""

    diff: tuple[FieldDiff, ...] = ()
    before: JsonObject | None = None
    after: JsonObject | None = None
    policy: str = ""


@runtime_checkable
class Recordable(Protocol):
    """A domain object that can stand in history."""

    def to_audit(self) -> About:
        """Names as values."""
