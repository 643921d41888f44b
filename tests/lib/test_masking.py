"""Secrets inside routes are masked, and nothing else is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshui.lib.masking import PREFIX, masked_body, masked_json

CANARY = "canary-5f3a"


@pytest.mark.parametrize(
    "body",
    [
        {"headers": {"request": {"set": {"authorization": f"Bearer {CANARY}"}}}},
        {"match": [{"headers": {"x-api-key": {"exact": CANARY}}}]},
        {"match": [{"headers": {"cookie": {"regex": f".*{CANARY}.*"}}}]},
        {"filters": [{"requestHeaderModifier": {"add": [{"name": "X-Auth-Token", "value": CANARY}]}}]},
        {"matches": [{"headers": [{"name": "authorization", "type": "exact", "value": CANARY}]}]},
        {"jwks": f'{{"keys":["{CANARY}"]}}'},
        {"redirect": {"uri": f"https://user:{CANARY}@example.test/x"}},
    ],
)
def test_masked_body__secret_value__is_gone_and_stays_comparable(body: dict[str, Any]) -> None:
    masked = masked_body(body)

    assert CANARY not in repr(masked)
    assert PREFIX in repr(masked)
    assert masked == masked_body(body)
    assert masked == masked_body(masked)


def test_masked_body__value_moved__mask_moves() -> None:
    assert masked_body({"token": "a"}) != masked_body({"token": "b"})


@pytest.mark.parametrize(
    "body",
    [
        {"spec": {"http": [{"route": [{"destination": {"host": "checkout", "subset": "v1"}, "weight": 90}]}]}},
        {"match": [{"headers": {"x-user": {"exact": "qa"}}, "uri": {"prefix": "/keys"}}]},
        {"metadata": {"name": "secret-santa", "labels": {"monkey": "yes"}}},
        {"headers": [{"name": "authorization", "type": "present", "is_inverted": False}]},
    ],
)
def test_masked_body__no_secret__is_unchanged(body: dict[str, Any]) -> None:
    assert masked_body(body) == body


NAMED = ("authorization", "Proxy-Authorization", "COOKIE", "to\u212aen", "pa\u017fsword", "key", "x-key", "key\n")
OTHERS = ("apikeys", "jwks", "secret", "monkeys", "name", "value", "exact", "http://a:b@c", "plain", "\u00fc")
WORDS = st.sampled_from((*NAMED, *OTHERS))
BODIES = st.recursive(
    WORDS | st.integers(0, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(WORDS, BODIES, max_size=3))
@example({"name": "key\n", "value": "hidden"})
@example({"pa\u017fsword": "hidden"})
def test_masked_json__any_body__as_masked_body_says(body: dict[str, Any]) -> None:
    assert msgspec.json.decode(masked_json(body)) == masked_body(body)
