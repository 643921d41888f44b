"""Everything that adapters write is what the definitions of its kind allow: ours, and the real ones where they are."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab.definitions import VARIABLE, crd_files
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from playground.apiserver.pruning import fill_in, prune
from playground.apiserver.schemas import validate
from playground.definitions import definitions
from tests.meshes.golden import cases, rendered_by

if TYPE_CHECKING:
    from meshes.adapters.base import MeshAdapter

ADAPTERS: dict[str, MeshAdapter] = {"istio": IstioAdapter(), "gateway": IstioAdapter(), "linkerd": LinkerdAdapter()}
WRITTEN = [
    pytest.param(write, id=f"{kind}-{case.name}-{write.ref.resource.group}-{write.ref.resource.kind}")
    for kind, adapter in ADAPTERS.items()
    for case in cases(kind)
    for write in rendered_by(adapter, case)[0].objects
    if write.op != "delete"
]


def schema_of(crds: list[Any], write: Any) -> Any:
    """The schema of the version that is written; None where these definitions have none."""
    resource = write.ref.resource
    for crd in crds:
        if (crd["spec"]["group"], crd["spec"]["names"]["kind"]) == (resource.group, resource.kind):
            for version in crd["spec"]["versions"]:
                if version["name"] == resource.version:
                    return version["schema"]["openAPIV3Schema"]
    return None


@functools.cache
def real_definitions() -> list[Any]:
    """Of the Gateway API and of Linkerd; none where their folder is not named."""
    return [item for file in crd_files() for item in yaml.load_all(file.read_text(), yaml.CSafeLoader) if item]


def faults(schema: Any, body: Any) -> list[str]:
    """What a server would refuse or silently drop."""
    left = copy.deepcopy({key: value for key, value in body.items() if key != "status"})  # which nobody of us writes
    unknown = prune(schema, left)
    fill_in(schema, left)
    return [*unknown, *(str(fault) for fault in validate(schema, left))]


@pytest.mark.parametrize("write", WRITTEN)
def test_write__our_definitions__nothing_refused_nothing_dropped(write: Any) -> None:
    schema = schema_of([*definitions("istio"), *definitions("gateway"), *definitions("linkerd")], write)
    if schema is None:
        pytest.skip(f"the playground does not describe {write.ref.resource.gvk}")

    assert faults(schema, write.body) == []


@pytest.mark.parametrize("write", [p for p in WRITTEN if "networking.istio.io" not in str(p.id)])
def test_write__real_definitions__nothing_refused_nothing_dropped(write: Any) -> None:
    crds = real_definitions()
    if not crds:
        pytest.skip(f"the real definitions are in the folder that {VARIABLE} names, and it names none")

    schema = schema_of(crds, write)

    assert schema is not None
    assert faults(schema, write.body) == []
