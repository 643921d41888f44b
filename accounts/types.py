"""Roles, the verbs they carry, and the scope of a grant. No Django."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshui.lib.rights import Place

READ: Final = "inventory.read"

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "viewer": frozenset({READ}),
        "author": frozenset(
            {READ, "change.propose", "change.edit", "change.plan", "change.submit", "change.cancel", "service.correct"},
        ),
        "approver": frozenset({READ, "change.vote"}),
        "executor": frozenset(
            {
                READ,
                "change.execute",
                "change.pause",
                "change.resume",
                "change.rollback",
                "change.cancel",
                "change.accept_partial",
            },
        ),
        "responder": frozenset({READ, "change.rollback", "change.pause"}),
        "auditor": frozenset({READ, "audit.read", "audit.export"}),
        "policy_admin": frozenset({READ, "policy.manage"}),
        "access_admin": frozenset({READ, "access.manage"}),
        "cluster_admin": frozenset({READ, "cluster.manage", "cluster.credential", "service.correct"}),
    }
)
ROLE_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "viewer": "Viewer",
        "author": "Author",
        "approver": "Approver",
        "executor": "Executor",
        "responder": "Responder",
        "auditor": "Auditor",
        "policy_admin": "Policy admin",
        "access_admin": "Access admin",
        "cluster_admin": "Cluster admin",
    }
)
VERBS: Final = frozenset().union(*ROLES.values())
# Nobody gives these to himself: a second Access admin does.
# What each role lets do, in a sentence for who has it.
ROLE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "viewer": "Look at clusters, meshes, services and changes.",
        "author": "Propose, edit and cancel changes; correct versions of services.",
        "approver": "Approve or reject changes that somebody else wrote.",
        "executor": "Start, pause, resume and roll back approved changes.",
        "responder": "Pause and roll back changes that run.",
        "auditor": "Read, verify and export the whole history.",
        "policy_admin": "Say who must approve what.",
        "access_admin": "Say who may do what, and end sessions and tokens.",
        "cluster_admin": "Register clusters, keep their credentials, allow writes.",
    }
)
NEVER_TO_ONESELF: Final = frozenset({"change.vote", "change.execute"})
# What a token may be given: never a vote, a credential of a cluster, or a say in who may do what.
TOKEN_VERBS: Final = VERBS - {"change.vote", "cluster.credential", "access.manage", "policy.manage"}
FIRST_ADMINISTRATOR: Final = ("access_admin", "cluster_admin", "policy_admin")

# What each verb of a token lets do, in words.
VERB_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        READ: "Look at clusters, meshes, services and changes",
        "change.propose": "Propose changes",
        "change.edit": "Edit changes",
        "change.plan": "Plan changes",
        "change.submit": "Ask for approval",
        "change.execute": "Start approved changes",
        "change.pause": "Pause running changes",
        "change.resume": "Resume paused changes",
        "change.rollback": "Roll changes back",
        "change.cancel": "Cancel changes",
        "change.accept_partial": "Accept a change as it stands",
        "service.correct": "Correct versions and links of services",
        "audit.read": "Read the audit log",
        "audit.export": "Export the audit log",
        "cluster.manage": "Read clusters again, test and change their settings",
    }
)

NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a grant holds: axes and-ed, values of an axis or-ed, an empty axis is any. Exact names, no patterns."""

    environment: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    service: tuple[str, ...] = ()

    @classmethod
    def parsed(cls, value: object) -> Scope:
        """The scope in a JSON object. Raises ValueError: unknown axis, empty list, a pattern."""
        if not isinstance(value, dict):
            raise ValueError('A scope is an object such as {"environment": ["production"]}.')  # noqa: TRY004
        axes = [axis.name for axis in fields(cls)]
        unknown = sorted(set(value) - set(axes))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no axis of a scope: use {', '.join(axes)}.")
        return cls(**{axis: _names(axis, names) for axis, names in value.items()})

    def as_json(self) -> dict[str, list[str]]:
        """The JSON object; an axis that is not restricted is absent."""
        return {axis: list(names) for axis, names in self.axes().items()}

    def axes(self) -> dict[str, tuple[str, ...]]:
        """The axes that restrict."""
        found = {axis.name: cast("tuple[str, ...]", getattr(self, axis.name)) for axis in fields(self)}
        return {axis: names for axis, names in found.items() if names}

    def within(self, other: Scope) -> Scope | None:
        """Where both hold; None if nowhere."""
        both: dict[str, tuple[str, ...]] = {}
        mine, theirs = self.axes(), other.axes()
        for axis in mine.keys() | theirs.keys():
            names = mine.get(axis) or theirs[axis]
            both[axis] = tuple(name for name in names if axis not in theirs or name in theirs[axis])
            if not both[axis]:
                return None
        return Scope(**both)

    def holds(self, place: Place) -> bool:
        """Whether `place` is inside. A place that leaves an axis empty is outside of whatever restricts that axis."""
        return all(getattr(place, axis) in names for axis, names in self.axes().items())

    def __str__(self) -> str:
        axes = self.axes()
        return "; ".join(f"{axis} {', '.join(names)}" for axis, names in axes.items()) if axes else "everywhere"


def _names(axis: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not names:
        raise ValueError(f"{axis}: give a list of names, or leave the axis out for any.")
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{axis}: {name!r} is not an exact name; patterns are not allowed.")
    return tuple(sorted(set(names)))
