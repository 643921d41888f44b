"""Who acted, and on what: values that are copied into history. No Django."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True, slots=True)
class Draft:
    """One event before it has its place in the chain."""

    action: str
    actor: Actor
    about: About | None = None
    reason: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    outcome: Outcome = "success"
    details: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk along the chain found. `first_bad_seq` is 0 when every stored event is as it was written."""

    checked: int
    last_seq: int
    head_hash: str
    first_bad_seq: int = 0
    reason: str = ""

    @property
    def is_intact(self) -> bool:
        """Whether nothing is missing, altered or out of order."""
        return self.first_bad_seq == 0


class UnknownActionError(LookupError):
    """An action that no app has registered: a slip of the programmer, never of the user."""


SUFFIX: Final[Mapping[Outcome, str]] = MappingProxyType(
    {"success": "OK", "denied": "DENIED", "failure": "FAIL", "unknown": "UNKNOWN"}
)
_codes: dict[str, str] = {}


def register_actions(actions: Mapping[str, str]) -> None:
    """Make `actions` (action → stable code) known. Apps call it from AppConfig.ready. Duplicates: ValueError."""
    for action, code in actions.items():
        if action in _codes or code in _codes.values():
            raise ValueError(f"The audit action {action} or its code {code} is registered already.")
        _codes[action] = code


def code_of(action: str, outcome: Outcome) -> str:
    """The stable code of one outcome of `action`, such as CHG.APPROVE.OK. Raises UnknownActionError."""
    try:
        return f"{_codes[action]}.{SUFFIX[outcome]}"
    except KeyError as error:
        raise UnknownActionError(
            f"The audit action {action!r} is not registered: add it to ACTIONS in the app's actions.py."
        ) from error


def known_actions() -> tuple[str, ...]:
    """Every registered action, in alphabetical order: for filters."""
    return tuple(sorted(_codes))


# h_0 = SHA-256("meshui-audit-v1"), h_n = SHA-256(0x00 ‖ h_(n-1) ‖ body_n); the body is text and hashed as stored.
GENESIS: Final = hashlib.sha256(b"meshui-audit-v1").digest()


def link(previous: bytes, body: str) -> bytes:
    """The hash of the event whose stored text is `body`, after the one whose hash is `previous`."""
    return hashlib.sha256(b"\x00" + previous + body.encode()).digest()
