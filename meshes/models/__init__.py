"""Rows of the inventory, and what MeshUI itself wrote last of it."""

from meshes.models.inventory import (
    CONNECTION,
    SERVED,
    WATCHING,
    BackendVersion,
    ControlPlane,
    Mesh,
    Namespace,
    ReadRow,
    Route,
    RouteBackend,
    Service,
    ServiceLink,
    Sync,
    Workload,
)
from meshes.models.managed import Drift, ManagedRoute
from meshes.models.security import MtlsMode

__all__ = [
    "CONNECTION",
    "SERVED",
    "WATCHING",
    "BackendVersion",
    "ControlPlane",
    "Drift",
    "ManagedRoute",
    "Mesh",
    "MtlsMode",
    "Namespace",
    "ReadRow",
    "Route",
    "RouteBackend",
    "Service",
    "ServiceLink",
    "Sync",
    "Workload",
]
