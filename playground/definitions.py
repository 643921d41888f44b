"""Our own CustomResourceDefinitions, read from playground/schemas."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json

FOLDER = Path(__file__).parent / "schemas"


@functools.cache
def definition(name: str) -> Json:
    """Return the CustomResourceDefinition in a file, like "istio-virtualservice". Read once: do not change it."""
    document: Json = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    found: Json = document["definition"]
    return found


def definitions(family: str) -> list[Json]:
    """Return those of a family: gateway, istio or linkerd."""
    return [definition(path.stem) for path in sorted(FOLDER.glob(f"{family}-*.yaml"))]
