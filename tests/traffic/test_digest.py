"""Any bit of what a plan will do moves its digest."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from traffic.digest import DigestInput, DigestTarget, plan_content, plan_digest

TARGET = DigestTarget(
    cluster_id="c1",
    cluster_uid="u1",
    ca_fingerprint="f1",
    gvk="networking.istio.io/v1/VirtualService",
    namespace="shop",
    name="checkout",
    uid="o1",
    base_hash="aa",
    owner_class="human",
    guard="full",
    desired_hash="bb",
    expected_hash="bb",
    operations=({"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 75},),
    losses=(),
    quantisation_error_bp=0,
    body={"spec": {"weight": 1.5}},
)
PLAN = DigestInput(
    change_id="1", number=7, intent_hash="cc", policy="built-in/1", warnings=("TRF012@eu",), targets=(TARGET,)
)


def digest_of(plan: DigestInput) -> str:
    return plan_digest(plan_content(plan))


def other(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        return {**value, "more": 1}
    if isinstance(value, tuple):
        return (*value, "more") if not value or isinstance(value[0], str) else ({"op": "remove", "path": "/x"},)
    return value + "x"


def test_plan_digest__same_content__same_digest() -> None:
    assert digest_of(PLAN) == digest_of(replace(PLAN))


@given(st.sampled_from([f.name for f in fields(DigestTarget)]))
def test_plan_digest__one_field_of_a_target_moves__other_digest(name: str) -> None:
    moved = replace(TARGET, **{name: other(getattr(TARGET, name))})

    assert digest_of(replace(PLAN, targets=(moved,))) != digest_of(PLAN)


@given(st.sampled_from([f.name for f in fields(DigestInput) if f.name != "targets"]))
def test_plan_digest__one_field_of_the_plan_moves__other_digest(name: str) -> None:
    moved = replace(PLAN, **{name: other(getattr(PLAN, name))})

    assert digest_of(moved) != digest_of(PLAN)


@given(st.permutations(["c1", "c2", "c3"]))
def test_plan_digest__targets_in_another_order__same_digest(order: list[str]) -> None:
    targets = tuple(replace(TARGET, cluster_id=cluster) for cluster in order)
    ordered = tuple(replace(TARGET, cluster_id=cluster) for cluster in ("c1", "c2", "c3"))

    assert digest_of(replace(PLAN, targets=targets)) == digest_of(replace(PLAN, targets=ordered))
