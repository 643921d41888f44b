"""The Istio adapter against its golden cases: what is read, what is written in which order, what is refused."""

from __future__ import annotations

from typing import cast

import pytest

from meshes.adapters.istio import IstioAdapter
from meshes.types import Route
from tests.meshes.golden import Case, cases, losses_of, patched, read_case, rendered_by, stored, told, writes_of

ADAPTER = IstioAdapter()
CASES = cases("istio")
LIVE = [case for case in CASES if case.live() is not None]
WRITTEN = [case for case in CASES if rendered_by(ADAPTER, case)[0].objects]
PATCHED = [case for case in WRITTEN if case.live() is not None and case.desired() is not None]


def named(found: list[Case]) -> list[str]:
    """As test ids."""
    return [case.name for case in found]


@pytest.mark.parametrize("case", LIVE, ids=named(LIVE))
def test_read__golden__as_committed(case: Case) -> None:
    live = case.live()
    assert live is not None
    read = read_case(ADAPTER, case)
    body = next(found.body for found in read.routes if found.body["metadata"] == live["metadata"])

    found = told(read, body)

    assert found == case.expected("read.json", found)
    if found["route"]:
        assert Route.from_json(found["route"]).to_json() == found["route"]


@pytest.mark.parametrize("case", CASES, ids=named(CASES))
def test_render__golden__as_committed(case: Case) -> None:
    rendered, _ = rendered_by(ADAPTER, case)

    writes, losses = writes_of(rendered), losses_of(rendered)

    assert writes == case.expected("writes.yaml", writes)
    assert losses == case.expected("losses.json", losses)
    assert not (rendered.objects and any(loss.moves_requests for loss in rendered.losses))
    assert case.name.startswith("refused-") == any(loss.moves_requests for loss in rendered.losses)


@pytest.mark.parametrize("case", PATCHED, ids=named(PATCHED))
def test_render__patch_on_the_live_body__gives_the_rendered_body_and_the_desired_route(case: Case) -> None:
    rendered, live = rendered_by(ADAPTER, case)
    desired, write = case.desired(), rendered.objects[-1]
    assert live is not None

    after = patched(live.body, write.operations)

    assert after == write.body
    assert ADAPTER.verify(desired, ADAPTER.live(after)).answer == "cannot be observed"
    assert ADAPTER.verify(desired, live).answer == "mismatch"


@pytest.mark.parametrize("case", PATCHED, ids=named(PATCHED))
def test_render__patch__tests_before_it_writes_and_holds_no_secret(case: Case) -> None:
    rendered, _ = rendered_by(ADAPTER, case)

    for write in rendered.objects:
        kinds = [operation.op == "test" for operation in write.operations]
        assert kinds == sorted(kinds, reverse=True)
        assert "not-to-be-kept" not in str(write.operations)


@pytest.mark.parametrize("case", WRITTEN, ids=named(WRITTEN))
def test_render__order__what_defines_subsets_comes_before_what_names_them_and_goes_after(case: Case) -> None:
    rendered, _ = rendered_by(ADAPTER, case)

    kinds = [write.ref.resource.kind for write in rendered.objects]

    is_end = case.desired() is None
    assert kinds.index("VirtualService") == (0 if is_end else len(kinds) - 1)
    assert {write.op == "delete" for write in rendered.objects} == {is_end}


STARTS = [case for case in WRITTEN if case.live() is None]


@pytest.mark.parametrize("case", STARTS, ids=named(STARTS))
def test_render__start__read_back_is_the_desired_route(case: Case) -> None:
    rendered, _ = rendered_by(ADAPTER, case)

    live = ADAPTER.live(stored(rendered.objects[-1].body))

    assert ADAPTER.verify(case.desired(), live).answer == "cannot be observed"
    for entry in entries_of(live.body):
        assert isinstance(entry["weight"], int)


def entries_of(body: object) -> list[dict[str, object]]:
    """Every route entry of a VirtualService."""
    http = cast("list[dict[str, list[dict[str, object]]]]", cast("dict[str, dict[str, object]]", body)["spec"]["http"])
    return [entry for rule in http for entry in rule["route"]]


def test_golden__istio__has_every_case_that_a_mesh_needs() -> None:
    names = set(named(CASES))

    assert len(names) >= 12
    assert {"drain-to-zero", "weight-absent", "refused-single-destination", "refused-all-zero"} <= names
