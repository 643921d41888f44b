"""managedFields: who wrote which field, as updates (never applies) leave it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from playground.apiserver.jsontypes import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

Path: TypeAlias = tuple[str, ...]
SERVERS_OWN = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
    | {"deletionTimestamp", "deletionGracePeriodSeconds", "generateName"}
)
SELF = "."


def manager_of(given: str, user_agent: str) -> str:
    """Return the name of a manager: the one given, else the client's own name."""
    return given or user_agent.partition("/")[0][:128] or "unknown"


def update_managed_fields(old: Json | None, new: Json, manager: str, subresource: str = "") -> None:
    """Set `new`'s managedFields: what changed since `old` belongs to `manager`, and to nobody else any more."""
    before = dict(_fields(old)) if old else {}
    after = dict(_fields(new))
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    entries: list[Json] = []
    mine: set[Path] = set(changed)
    kept: Json | None = None
    for entry in (old or {}).get("metadata", {}).get("managedFields", ()):
        owned = set(_paths(entry["fieldsV1"])) & after.keys()
        if _is_of(entry, new, manager, subresource):
            mine, kept = mine | owned, entry
        elif owned - changed:
            entries.append({**entry, "fieldsV1": _tree(owned - changed)})
    if mine:
        entries.append(_entry(new, manager, subresource, mine, kept))
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def _is_of(entry: Json, obj: Json, manager: str, subresource: str) -> bool:
    wanted = (manager, "Update", obj["apiVersion"], subresource)
    return (entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", "")) == wanted


def _entry(obj: Json, manager: str, subresource: str, owned: set[Path], kept: Json | None) -> Json:
    fields = _tree(owned)
    time = kept["time"] if kept and kept["fieldsV1"] == fields else timestamp()
    entry: Json = {"manager": manager, "operation": "Update", "apiVersion": obj["apiVersion"], "time": time}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    if subresource:
        entry["subresource"] = subresource
    return entry


def _fields(obj: Json) -> Iterator[tuple[Path, Any]]:
    """Yield every owned field with what it holds; a map owns itself (`.`) besides what is in it."""
    for key, value in obj.items():
        if key == "metadata":
            for name, child in value.items():
                if name not in SERVERS_OWN:
                    yield from _below((f"f:{key}", f"f:{name}"), child, is_set=name == "finalizers")
        elif key not in {"apiVersion", "kind"}:
            yield from _below((f"f:{key}",), value)


def _below(path: Path, value: Any, *, is_set: bool = False) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        yield (*path, SELF), True
        for key, child in value.items():
            yield from _below((*path, f"f:{key}"), child)
    elif is_set:
        yield (*path, SELF), True
        for item in value:
            yield (*path, f"v:{json.dumps(item)}"), True
    else:
        yield path, value


def _tree(paths: set[Path]) -> Json:
    root: Json = {}
    for path in sorted(paths):
        node = root
        for part in path:
            node = node.setdefault(part, {})
    return root


def _paths(tree: Json, path: Path = ()) -> Iterator[Path]:
    for key, child in tree.items():
        if child:
            yield from _paths(child, (*path, key))
        else:
            yield (*path, key)
