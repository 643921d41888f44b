"""Policies as a server has them, and the pods that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import yaml

from meshes.adapters.mtls import PodTemplate

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject

PODS = (
    PodTemplate("web", {"app": "web", "tier": "front"}, {}),
    PodTemplate("ledger", {"app": "ledger", "tier": "back"}, {}),
)


def objects(text: str) -> list[JsonObject]:
    """YAML documents, each with a uid."""
    found = []
    for number, body in enumerate(yaml.safe_load_all(text)):
        body["metadata"] = {"uid": f"uid-{number}", **body["metadata"]}
        found.append(cast("JsonObject", body))
    return found
