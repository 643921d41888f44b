"""The objects of a server for whoever runs it: in this process, past sign-in, RBAC and admission."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import quote

from playground.apiserver.calls import Call
from playground.apiserver.deleting import delete_object
from playground.apiserver.jsontypes import clone
from playground.apiserver.messages import Request, Target, User
from playground.apiserver.rbac import MASTERS
from playground.apiserver.store import key_of
from playground.apiserver.writing import create_object, update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from playground.apiserver.calls import Core
    from playground.apiserver.jsontypes import Json, Objects
    from playground.apiserver.resources import Resource

FIRST = {"CustomResourceDefinition": 0, "Namespace": 1, "ServiceAccount": 2}


class LocalObjects:
    """Reads and writes as nobody in particular. Everything returned is a copy."""

    def __init__(self, core: Core) -> None:
        """Work on the store of `core`."""
        self._core = core

    def call(self, resource: Resource, namespace: str, name: str, manager: str) -> Call:
        """Return a call that may do everything, in the name of a field manager."""
        target = Target("update", resource.group, resource.version, resource.plural, namespace, name)
        request = Request("PUT", f"/?fieldManager={quote(manager)}", {})
        user = User(manager or "playground", (MASTERS,))
        return Call(self._core, request, user, target, resource, is_trusted=True)

    def load(self, objects: Iterable[Json], *, manager: str = "playground") -> Objects:
        """Create objects; what they say of their status and their age is kept, and schemas count.

        Definitions and namespaces come first, whatever the order. Raises ApiError for what is wrong, KeyError for a
        kind that is not known.
        """
        loaded = []
        for obj in sorted(objects, key=lambda each: FIRST.get(each["kind"], 3)):
            resource = self._core.registry.for_object(obj["apiVersion"], obj["kind"])
            if resource is None:
                raise KeyError(f"This server has no kind {obj['kind']!r} in {obj['apiVersion']!r}.")
            call = self.call(resource, obj["metadata"].get("namespace", ""), "", manager)
            created = create_object(call, clone(obj), [])
            loaded.append(clone(created if isinstance(created, dict) else created.object))
        return loaded

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        """Return an object; `kind` is a kind ("Pod") or a qualified plural ("pods"). Raises KeyError."""
        resource = self._core.registry.named(kind)
        entry = self._core.store.get(resource.key, key_of(namespace, name))
        if entry is None:
            raise KeyError(f"{resource.key} {key_of(namespace, name)!r} is not there.")
        return clone(entry.object)

    def list(self, kind: str, namespace: str = "") -> Objects:
        """Return all objects of a kind, in one namespace if one is named."""
        entries, _ = self._core.store.entries(self._core.registry.named(kind).key)
        return [clone(entry.object) for entry in entries if namespace in {"", entry.namespace}]

    def wait(self, kind: str, name: str, namespace: str, met: Callable[[Json], bool], *, seconds: float = 30.0) -> Json:
        """Return an object once `met` is true of it; absent counts as not met. Raises TimeoutError."""
        resource, key = self._core.registry.named(kind), key_of(namespace, name)

        def found() -> Json | None:
            entry = self._core.store.get(resource.key, key)
            return clone(entry.object) if entry is not None and met(entry.object) else None

        with self._core.store.changed:
            waited = self._core.store.changed.wait_for(found, seconds)
        if not waited:
            raise TimeoutError(f"{resource.key} {key!r} was not as expected after {seconds} s.")
        return waited

    def edit(
        self, kind: str, name: str, namespace: str, change: Callable[[Json], None], *, manager: str = "kubectl-edit"
    ) -> Json:
        """Let another hand change an object; return what it is then."""

        def compute(old: Json) -> Json:
            change(old)
            return old

        update(self.call(self._core.registry.named(kind), namespace, name, manager), compute, [])
        return self.get(kind, name, namespace)

    def set_status(self, kind: str, name: str, namespace: str, status: Json, *, manager: str = "controller") -> Json:
        """Write an object's status as its controller does: through the subresource; return what it is then."""
        call = self.call(self._core.registry.named(kind), namespace, name, manager)
        call = dataclasses.replace(call, target=dataclasses.replace(call.target, subresource="status"))
        update(call, lambda old: {**old, "status": clone(status)}, [])
        return self.get(kind, name, namespace)

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object, or mark it if finalizers hold it."""
        delete_object(self.call(self._core.registry.named(kind), namespace, name, ""), {})
