"""Kind → adapter, from settings.MESH_ADAPTERS. An unknown kind is an error, never a default."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from meshes.adapters.base import MeshAdapter


class UnknownMeshError(LookupError):
    """No adapter is registered for this kind of mesh."""


@cache
def adapter_for(kind: str) -> MeshAdapter:
    """The adapter of `kind`. Raises UnknownMeshError."""
    path = settings.MESH_ADAPTERS.get(kind)
    if path is None:
        known = ", ".join(sorted(settings.MESH_ADAPTERS))
        raise UnknownMeshError(f"There is no adapter for {kind!r}; known are {known}.")
    return cast("MeshAdapter", import_string(path)())


def all_adapters() -> tuple[MeshAdapter, ...]:
    """Every registered adapter, in the order of settings."""
    return tuple(adapter_for(kind) for kind in settings.MESH_ADAPTERS)
