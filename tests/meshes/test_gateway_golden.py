"""Routes of the Gateway API against their golden cases, as Istio reads them and as Linkerd does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Route
from tests.meshes.golden import Case, cases, losses_of, patched, read_case, rendered_by, stored, told, writes_of

if TYPE_CHECKING:
    from meshes.adapters.base import MeshAdapter

    Pair = tuple[MeshAdapter, Case]

ADAPTERS: dict[str, MeshAdapter] = {"gateway": IstioAdapter(), "linkerd": LinkerdAdapter()}
PAIRS: list[Pair] = [(adapter, case) for kind, adapter in ADAPTERS.items() for case in cases(kind)]
LIVE = [(adapter, case) for adapter, case in PAIRS if case.live() is not None]
WRITTEN = [(adapter, case) for adapter, case in PAIRS if rendered_by(adapter, case)[0].objects]
PATCHED = [(adapter, case) for adapter, case in WRITTEN if case.live() is not None and case.desired() is not None]
STARTS = [(adapter, case) for adapter, case in WRITTEN if case.live() is None]


def named(pairs: list[Pair]) -> list[str]:
    """As test ids."""
    return [f"{adapter.kind}-{case.name}" for adapter, case in pairs]


@pytest.mark.parametrize(("adapter", "case"), LIVE, ids=named(LIVE))
def test_read__golden__as_committed(adapter: MeshAdapter, case: Case) -> None:
    live = case.live()
    assert live is not None
    read = read_case(adapter, case)
    body = next(found.body for found in read.routes if found.body["metadata"] == live["metadata"])

    found = told(read, body)

    assert found == case.expected("read.json", found)
    assert Route.from_json(found["route"]).to_json() == found["route"]


@pytest.mark.parametrize(("adapter", "case"), PAIRS, ids=named(PAIRS))
def test_render__golden__as_committed(adapter: MeshAdapter, case: Case) -> None:
    rendered, _ = rendered_by(adapter, case)

    writes, losses = writes_of(rendered), losses_of(rendered)

    assert writes == case.expected("writes.yaml", writes)
    assert losses == case.expected("losses.json", losses)
    assert len(writes) <= 1
    assert case.name.startswith("refused-") == any(loss.moves_requests for loss in rendered.losses)


@pytest.mark.parametrize(("adapter", "case"), PATCHED, ids=named(PATCHED))
def test_render__patch_on_the_live_body__gives_the_rendered_body_and_the_desired_route(
    adapter: MeshAdapter, case: Case
) -> None:
    rendered, live = rendered_by(adapter, case)
    (write,) = rendered.objects
    assert live is not None

    after = patched(live.body, write.operations)

    assert after == write.body
    assert adapter.verify(case.desired(), adapter.live(after)).answer == "verified"
    assert adapter.verify(case.desired(), live).answer == "mismatch"


@pytest.mark.parametrize(("adapter", "case"), PATCHED, ids=named(PATCHED))
def test_render__patch__tests_before_it_writes_holds_no_secret_and_writes_every_weight(
    adapter: MeshAdapter, case: Case
) -> None:
    rendered, _ = rendered_by(adapter, case)
    (write,) = rendered.objects

    kinds = [operation.op == "test" for operation in write.operations]

    assert kinds == sorted(kinds, reverse=True)
    assert "not-to-be-kept" not in str(write.operations)


@pytest.mark.parametrize(("adapter", "case"), STARTS, ids=named(STARTS))
def test_render__start__read_back_is_the_desired_route_in_fields_of_1_2_1(adapter: MeshAdapter, case: Case) -> None:
    rendered, _ = rendered_by(adapter, case)
    (write,) = rendered.objects

    spec = cast("Any", write.body)["spec"]
    live = adapter.live(stored(write.body))

    assert adapter.verify(case.desired(), live).answer == "waiting"
    assert [parent["group"] for parent in spec["parentRefs"]] == [""]
    for rule in spec["rules"]:
        assert set(rule) <= {"matches", "backendRefs"}
        assert all({"group", "kind", "name", "port", "weight"} == set(ref) for ref in rule["backendRefs"])


@pytest.mark.parametrize("kind", sorted(ADAPTERS))
def test_golden__has_every_case_that_a_mesh_needs(kind: str) -> None:
    names = {case.name for case in cases(kind)}

    assert len(names) >= 12
    assert {"drain-to-zero", "weight-absent-is-one", "refused-all-zero", "group-core-is-read-and-stays"} <= names
