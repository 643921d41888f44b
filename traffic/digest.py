"""The digest that people approve: SHA-256 over the canonical form of everything a plan will do (change-control §4.2).

Pure. In: values. Any bit that moves makes another digest. Not in it: resourceVersion, generation, times, plan number,
comments, title.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from meshui.lib.canonical import canonical

if TYPE_CHECKING:
    from meshui.lib.jsontypes import Json, JsonObject

PREFIX = b"meshui-plan-v1\n"


@dataclass(frozen=True, slots=True)
class DigestTarget:
    """What the digest says of one object of a target; `position` orders the objects of one target.

    `uid` empty and `body` all of it: it is created. `expected_hash` empty: it is deleted.
    """

    cluster_id: str
    cluster_uid: str
    ca_fingerprint: str
    gvk: str
    namespace: str
    name: str
    uid: str
    base_hash: str
    owner_class: str
    guard: str
    desired_hash: str
    expected_hash: str
    operations: tuple[JsonObject, ...]
    losses: tuple[str, ...]
    quantisation_error_bp: int
    position: int = 0
    op: str = "patch"
    body: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Canonical-safe."""
        return {
            "cluster": self.cluster_id,
            "cluster_uid": self.cluster_uid,
            "ca": self.ca_fingerprint,
            "gvk": self.gvk,
            "ns": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "position": self.position,
            "base": self.base_hash,
            "owner": self.owner_class,
            "guard": self.guard,
            "steps": [
                {
                    "writes": [
                        {
                            "op": self.op,
                            "desired": self.desired_hash,
                            "expected": self.expected_hash,
                            "patch": cast("Json", list(self.operations)),
                            **({"body": content_text(self.body)} if self.body is not None else {}),
                        }
                    ],
                    "losses": cast("Json", sorted(self.losses)),
                    "quantisation_error_bp": self.quantisation_error_bp,
                }
            ],
        }


@dataclass(frozen=True, slots=True)
class DigestInput:
    """What the digest says of the whole plan."""

    change_id: str
    number: int
    intent_hash: str
    policy: str
    warnings: tuple[str, ...]
    targets: tuple[DigestTarget, ...]
    mode: str = "own"
    failure_policy: str = "halt"
    verify_level: str = "L1"

    def to_json(self) -> JsonObject:
        """Canonical-safe; targets in the order of (cluster, position, gvk, namespace, name)."""
        ordered = sorted(self.targets, key=lambda t: (t.cluster_id, t.position, t.gvk, t.namespace, t.name))
        return {
            "change": self.change_id,
            "number": self.number,
            "revision": self.intent_hash,
            "policy": self.policy,
            "checks": cast("Json", sorted(self.warnings)),
            "targets": [target.to_json() for target in ordered],
            "mode": self.mode,
            "failure_policy": self.failure_policy,
            "verify_level": self.verify_level,
        }


def content_text(body: JsonObject) -> str:
    """A native body as one text: it may hold floats, which canonical JSON has no form for."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def plan_content(plan: DigestInput) -> str:
    """The canonical text that is hashed, kept with the plan."""
    return canonical(plan.to_json()).decode()


def plan_digest(content: str) -> str:
    """Hex SHA-256 of a plan's canonical text."""
    return hashlib.sha256(PREFIX + content.encode()).hexdigest()
