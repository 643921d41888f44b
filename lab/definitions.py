"""Kinds of meshes that publish no buildable module: read from where MESHUI_LAB_CRDS says, never kept here."""

import os
from pathlib import Path

from lab.client import Client, parse_yaml

VARIABLE = "MESHUI_LAB_CRDS"
_FILES = (
    "gateway-api-*/standard/*.yaml",
    "linkerd-*/httproute.yaml",
    "linkerd-*/serviceprofile.yaml",
    "linkerd-*/server.yaml",
    "linkerd-*/authorization-policy.yaml",
    "linkerd-*/server-authorization.yaml",
)


def crd_files() -> list[Path]:
    """The definitions of the Gateway API's standard channel and of Linkerd's routes and Servers.

    None where nothing is named. The folder is laid out as <project>-<version>/.
    """
    folder = os.environ.get(VARIABLE)
    return sorted(file for pattern in _FILES for file in Path(folder).glob(pattern)) if folder else []


def load_definitions(client: Client) -> None:
    """Load them; they are served when this returns."""
    client.load(item for file in crd_files() for item in parse_yaml(file.read_text()))
