"""Golden cases of an adapter: a folder each, read once, compared whole.

live.yaml the object as a cluster holds it (absent: the split starts) · around.yaml what stands around it · read.json
what is made of it · route.json the desired route (absent: the split ends) · writes.yaml what is written, in order ·
losses.json what cannot be held. MESHUI_UPDATE_GOLDEN=1 writes read, writes and losses anew: then look at them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from meshes.types import Around, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.clients import PatchOperation
    from meshes.adapters.base import MeshAdapter, Read
    from meshes.types import LiveRoute, Rendered
    from meshui.lib.jsontypes import JsonObject

ROOT = Path(__file__).parent.parent / "golden"
IS_UPDATE = bool(os.environ.get("MESHUI_UPDATE_GOLDEN"))


@dataclass(frozen=True)
class Case:
    """One folder."""

    folder: Path

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    def live(self) -> JsonObject | None:
        """The native object; None where the split starts."""
        return cast("JsonObject | None", self._yaml("live"))

    def around(self) -> Around:
        """What stands around it."""
        found = self._yaml("around") or {}
        services = {
            (body["metadata"]["namespace"], body["metadata"]["name"]): body for body in found.get("services", ())
        }
        companions, rivals = tuple(found.get("companions", ())), tuple(found.get("rivals", ()))
        return Around(services, companions, rivals, frozenset(found.get("served", ())))

    def desired(self) -> Route | None:
        """The desired route; None where the split ends."""
        path = self.folder / "route.json"
        return Route.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def expected(self, name: str, found: Any) -> Any:
        """What a file of the case holds; written anew when asked for."""
        path = self.folder / name
        if IS_UPDATE:
            is_json = path.suffix == ".json"
            text = (
                json.dumps(found, indent=2, ensure_ascii=False) + "\n"
                if is_json
                else yaml.safe_dump(found, sort_keys=False)
            )
            path.write_text(text, encoding="utf-8")
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)

    def _yaml(self, name: str) -> Any:
        path = self.folder / f"{name}.yaml"
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


def cases(kind: str) -> list[Case]:
    """All cases of one mesh, by name."""
    return [Case(folder) for folder in sorted((ROOT / kind).iterdir())]


def read_case(adapter: MeshAdapter, case: Case) -> Read:
    """The object of a case read with all that stands around it, as a sync finds it."""
    around = case.around()
    objects: dict[str, list[JsonObject]] = {}
    live = case.live()
    for body in (*([live] if live else []), *around.companions, *around.rivals):
        if body["kind"] != "Namespace":
            objects.setdefault(PLURALS[str(body["kind"])], []).append(body)
    if around.served:
        for plural in ("destinationrules", "serviceprofiles"):
            objects.setdefault(plural, [])
    return adapter.read(objects, [body for body in around.companions if body["kind"] == "Namespace"])


PLURALS = {
    "VirtualService": "virtualservices",
    "DestinationRule": "destinationrules",
    "HTTPRoute": "httproutes",
    "GRPCRoute": "grpcroutes",
    "ServiceProfile": "serviceprofiles",
}


def told(read: Read, live: JsonObject) -> dict[str, Any]:
    """What was read of `live`, as read.json holds it."""
    found = next(route for route in read.routes if route.body is live)
    return {
        "route": found.live.route.to_json() if found.live else None,
        "problems": [f"{problem.where}: {problem.message}" for problem in found.problems],
    }


def rendered_by(adapter: MeshAdapter, case: Case) -> tuple[Rendered, LiveRoute | None]:
    """What the adapter makes of a case."""
    body = case.live()
    live = adapter.live(body) if body else None
    return adapter.render(case.desired(), live, case.around()), live


def writes_of(rendered: Rendered) -> list[Any]:
    """What is written, as writes.yaml holds it."""
    return json.loads(json.dumps([_write_of(write) for write in rendered.objects]))  # type: ignore[no-any-return]


def _write_of(write: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"op": write.op, "object": write.ref.path()}
    if write.op == "patch":
        found["operations"] = [operation.to_json() for operation in write.operations]
    return found if write.op == "delete" else {**found, "body": write.body}


def losses_of(rendered: Rendered) -> list[Any]:
    """What cannot be held, as losses.json holds it."""
    return [{"path": x.path, "reason": x.reason, "moves_requests": x.moves_requests} for x in rendered.losses]


def patched(body: JsonObject, operations: Sequence[PatchOperation]) -> JsonObject:
    """`body` after a JSON Patch by RFC 6902, on its own feet; a failed test or a missing path is an AssertionError."""
    found = json.loads(json.dumps(body))
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation.path.split("/")[1:]]
        node: Any = found
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        key: Any = int(last) if isinstance(node, list) else last
        is_there = key < len(node) if isinstance(node, list) else key in node
        value = json.loads(json.dumps(operation.value))
        if operation.op == "add" and isinstance(node, list):
            assert 0 <= key <= len(node), operation.path
            node.insert(key, value)
        elif operation.op == "add":
            node[key] = value
        else:
            assert is_there, operation.path
            if operation.op == "test":
                assert node[key] == value, operation.path
            elif operation.op == "replace":
                node[key] = value
            else:
                del node[key]
    return cast("JsonObject", found)


def stored(body: JsonObject) -> JsonObject:
    """A created body as a cluster gives it back."""
    metadata = cast("dict[str, Any]", body["metadata"])
    return {**body, "metadata": {**metadata, "uid": "made", "resourceVersion": "1", "generation": 1}}
