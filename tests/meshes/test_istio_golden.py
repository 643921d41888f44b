"""The Istio adapter against its golden cases: what is read, what is written, what is refused."""

from __future__ import annotations

import pytest

from meshes.adapters.istio import IstioAdapter
from meshes.types import Route
from tests.meshes.golden import Case, cases, patched

ADAPTER = IstioAdapter()
CASES = cases("istio")
WRITTEN = [case for case in CASES if case.rendered() is not None]
ids = [case.folder.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_read__golden__as_committed(case: Case) -> None:
    read = ADAPTER.read({"virtualservices": [case.live()]}, []).routes[0]

    assert read.live is not None
    assert {
        "route": read.live.route.to_json(),
        "problems": [f"{problem.where}: {problem.message}" for problem in read.problems],
    } == case.json("read")
    assert Route.from_json(read.live.route.to_json()) == read.live.route


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_render__golden__as_committed(case: Case) -> None:
    rendered = ADAPTER.render(case.desired(), ADAPTER.live(case.live()))

    operations = [operation.to_json() for write in rendered.objects for operation in write.operations]
    losses = [{"path": x.path, "reason": x.reason, "moves_requests": x.moves_requests} for x in rendered.losses]
    assert operations == case.json("patch")
    assert losses == case.json("losses")
    assert (rendered.objects[0].body if rendered.objects else None) == case.rendered()
    assert all(loss.moves_requests for loss in rendered.losses)


@pytest.mark.parametrize("case", WRITTEN, ids=[case.folder.name for case in WRITTEN])
def test_render__patch_on_the_live_body__gives_the_rendered_body_and_the_desired_route(case: Case) -> None:
    (write,) = ADAPTER.render(case.desired(), ADAPTER.live(case.live())).objects

    after = patched(case.live(), write.operations)

    assert after == write.body
    assert ADAPTER.verify(case.desired(), ADAPTER.live(after)).answer == "verified"
    assert ADAPTER.verify(case.desired(), ADAPTER.live(case.live())).answer == "mismatch"


@pytest.mark.parametrize("case", WRITTEN, ids=[case.folder.name for case in WRITTEN])
def test_render__patch__tests_before_it_writes_and_holds_no_secret(case: Case) -> None:
    (write,) = ADAPTER.render(case.desired(), ADAPTER.live(case.live())).objects

    kinds = [operation.op == "test" for operation in write.operations]

    assert kinds == sorted(kinds, reverse=True)
    assert sum(kinds) * 2 == len(kinds)
    assert "not-to-be-kept" not in str(write.operations)


def test_golden__istio__has_every_case_that_a_mesh_needs() -> None:
    names = set(ids)

    assert len(names) >= 12
    assert {"drain-to-zero", "weight-absent", "refused-single-destination", "refused-all-zero"} <= names
