"""DestinationRules beside a VirtualService: the subsets that its backends need, defined before it names them. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import ObjectRef, PatchOperation, Resource
from meshes.adapters.base import MANAGED_BY
from meshes.adapters.edits import refused
from meshes.adapters.istio_companions import Subsets
from meshes.adapters.istio_kinds import GROUP, version_of
from meshes.adapters.istio_read import split_host
from meshes.adapters.natives import age_of, is_ours, name_of, namespace_of
from meshes.adapters.patching import applied, pointer
from meshes.adapters.shapes import DestinationRule, sound
from meshes.types import Loss, NativeWrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshes.adapters.istio_write import Hosts
    from meshes.types import Around, Backend
    from meshui.lib.jsontypes import JsonObject


def destination_rules(around: Around) -> list[JsonObject]:
    """Those of the companions, as far as they can be read."""
    bodies = [body for body in around.companions if body.get("kind") == "DestinationRule"]
    return sound(bodies, DestinationRule)[0]


def subset_writes(
    backends: Iterable[Backend], around: Around, hosts: Hosts, version: str
) -> tuple[list[NativeWrite], list[Loss]]:
    """What defines the subsets of `backends` that nothing defines yet; a subset without labels is refused (trap 9)."""
    rules = destination_rules(around)
    known = Subsets(rules)
    missing: dict[tuple[str, str], list[Backend]] = defaultdict(list)
    losses: list[Loss] = []
    for backend in backends:
        if not backend.subset or known.labels(backend) is not None:
            continue
        if backend.labels:
            missing[backend.namespace, backend.service].append(backend)
        else:
            text = (
                f"No DestinationRule defines subset {backend.subset} of {backend.service}, so its requests would get "
                "503, and its labels are not known. Define it first."
            )
            losses.append(refused(f"backends[{backend.key}]", text))
    writes: list[NativeWrite] = []
    for (namespace, service), wanted in missing.items():
        found = _write(service, namespace, wanted, rules, hosts.full(service, namespace), version)
        (writes if isinstance(found, NativeWrite) else losses).append(cast("Any", found))
    return writes, losses


def _write(
    service: str, namespace: str, wanted: Sequence[Backend], rules: Sequence[JsonObject], host: str, version: str
) -> NativeWrite | Loss:
    subsets = {b.subset: {"name": b.subset, "labels": dict(b.labels)} for b in wanted}
    of_host = [body for body in rules if _host(body) == (service, namespace)]
    able = [body for body in of_host if not cast("dict[str, Any]", body["spec"]).get("workloadSelector")]
    if able:
        first = min(able, key=lambda body: (not is_ours(body), namespace_of(body) != namespace, age_of(body)))
        return _patch(first, list(subsets.values()))
    if of_host or any(_covers(body, host) for body in rules):
        text = (
            f"A DestinationRule for some workloads or for a wildcard covers {host}. One of its own would replace it. "
            f"Define {' and '.join(subsets)} in the one that is there."
        )
        return refused(f"backends[{namespace}/{service}]", text)
    taken = {name_of(body) for body in rules if namespace_of(body) == namespace}
    name = service if service not in taken else f"{service}-subsets"
    return _create(name, namespace, host, list(subsets.values()), version)


def _host(body: JsonObject) -> tuple[str, str]:
    return split_host(str(cast("dict[str, Any]", body["spec"])["host"]), namespace_of(body))


def _covers(body: JsonObject, host: str) -> bool:
    pattern = str(cast("dict[str, Any]", body["spec"])["host"])
    return pattern.startswith("*") and host.endswith(pattern[1:])


def _create(name: str, namespace: str, host: str, subsets: list[dict[str, Any]], version: str) -> NativeWrite:
    resource = Resource(GROUP, version, "destinationrules", "DestinationRule")
    body: dict[str, Any] = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": dict([MANAGED_BY])},
        "spec": {"host": host, "subsets": subsets},
    }
    return NativeWrite(ObjectRef(resource, namespace, name), cast("JsonObject", body), op="create")


def rule_ref(body: JsonObject) -> ObjectRef:
    """A DestinationRule, in the version it was read in."""
    resource = Resource(GROUP, version_of(body), "destinationrules", "DestinationRule")
    return ObjectRef(resource, namespace_of(body), name_of(body))


def _patch(body: JsonObject, subsets: list[dict[str, Any]]) -> NativeWrite:
    """Subsets are added behind those that are there, which stay."""
    spec = cast("dict[str, Any]", body["spec"])
    before = spec.get("subsets")
    operations = [PatchOperation("test", pointer("spec", "host"), spec["host"])]
    if before is None:
        operations.append(PatchOperation("add", pointer("spec", "subsets"), cast("Any", subsets)))
    else:
        operations += [
            PatchOperation("add", pointer("spec", "subsets", place), cast("Any", subset))
            for place, subset in enumerate(subsets, len(before))
        ]
    return NativeWrite(rule_ref(body), applied(body, operations), tuple(operations))
