"""Secrets inside routes are masked, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from meshui.lib.masking import PREFIX, masked_body

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
