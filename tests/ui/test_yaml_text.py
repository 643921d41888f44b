"""YAML that every reader reads back as the same value."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meshui.ui.yaml_text import to_yaml

TRAPS = [
    "yes",
    "1e3",
    "0x1",
    "2026-01-01",
    "null",
    "~",
    "a: b",
    "- a",
    "a #b",
    "*x",
    "&x",
    "!x",
    "1_000",
    "12:30:45",
    "line\nline\n",
    "x\n\ny",
    " lead",
]
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text() | st.sampled_from(TRAPS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_to_yaml__any_json__reads_back_the_same(value: Any) -> None:
    text = to_yaml(value)

    assert (yaml.safe_load(text) if text else None) == value


def test_to_yaml__object__has_the_order_people_know() -> None:
    rule = {"route": [{"weight": 90, "destination": {"subset": "v1", "host": "a"}}], "name": "x"}
    value = {"spec": {"http": [rule]}, "kind": "K", "apiVersion": "v1"}

    assert to_yaml(value) == (
        "apiVersion: v1\nkind: K\nspec:\n  http:\n  - name: x\n    route:\n"
        "    - destination:\n        host: a\n        subset: v1\n      weight: 90\n"
    )


@pytest.mark.parametrize(
    "text", ["networking.istio.io/v1", "checkout.retail.svc.cluster.local", "ISTIO_MUTUAL", "spiffe://x/ns/a"]
)
def test_to_yaml__plain_words__are_not_quoted(text: str) -> None:
    assert to_yaml({"a": text}) == f"a: {text}\n"
