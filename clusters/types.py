"""What MeshUI needs to be allowed in a cluster, as (verb, group, resource)."""

from __future__ import annotations

from typing import Final

# What reading needs, and what changing a route needs.
READ_NEEDS: Final = (
    ("get", "", "namespaces"),  # whose uid tells one cluster from another
    ("list", "", "namespaces"),
    ("list", "", "services"),
    ("list", "apps", "deployments"),
    ("list", "networking.istio.io", "virtualservices"),
    ("list", "networking.istio.io", "destinationrules"),
)
WRITE_NEEDS: Final = (
    ("get", "networking.istio.io", "virtualservices"),
    ("patch", "networking.istio.io", "virtualservices"),
)
EXCESS: Final = (("*", "*", "*"), ("list", "", "secrets"), ("create", "", "pods"))
