"""Golden cases of an adapter: a folder each, read once, compared whole.

live.yaml the object as a cluster holds it · read.json what is made of it · route.json the desired route ·
patch.json, rendered.yaml what is written · losses.json what is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from meshes.types import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.clients import PatchOperation
    from meshui.lib.jsontypes import JsonObject

ROOT = Path(__file__).parent.parent / "golden"


@dataclass(frozen=True)
class Case:
    """One folder."""

    folder: Path

    def live(self) -> JsonObject:
        """The native object."""
        return cast("JsonObject", yaml.safe_load((self.folder / "live.yaml").read_text(encoding="utf-8")))

    def desired(self) -> Route:
        """The desired route."""
        return Route.from_json(self.json("route"))

    def rendered(self) -> JsonObject | None:
        """The native object after the write; None where nothing is written."""
        found = yaml.safe_load((self.folder / "rendered.yaml").read_text(encoding="utf-8"))
        return cast("JsonObject | None", found)

    def json(self, name: str) -> Any:
        """What a JSON file of the case holds."""
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))


def cases(kind: str) -> list[Case]:
    """All cases of one mesh, by name."""
    return [Case(folder) for folder in sorted((ROOT / kind).iterdir())]


def patched(body: JsonObject, operations: Sequence[PatchOperation]) -> JsonObject:
    """`body` after a JSON Patch of test, replace and add of object members; a test that fails is an AssertionError."""
    found = json.loads(json.dumps(body))
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation.path.split("/")[1:]]
        node: Any = found
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        key: Any = int(last) if isinstance(node, list) else last
        if operation.op == "test":
            assert node[key] == operation.value, operation.path
        elif operation.op == "replace":
            assert key in node, operation.path
            node[key] = operation.value
        else:
            assert isinstance(node, dict), operation.path
            node[key] = operation.value
    return cast("JsonObject", found)
