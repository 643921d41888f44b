"""meshui/lib/logs.py: what looks like a secret never leaves in a line."""

from __future__ import annotations

import logging

import pytest

from meshui.lib.logs import SecretFilter, masked

PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEICanary\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "canary"),
    [
        ("Authorization: Bearer canary-token-0123", "canary-token"),
        ("authorization: bearer canary.token.0123", "canary"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl!", "eyJ"),
        (f"key {PEM} end", "MHcCAQEEICanary"),
        (PEM.removesuffix("-----END EC PRIVATE KEY-----"), "MHcCAQEEICanary"),
        ("meshui_abcdefghij12.canarycanary", "canarycanary"),
        ("aws AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_masked__secret_in_text__replaced(text: str, canary: str) -> None:
    assert canary not in masked(text)
    assert "•••" in masked(text)


def test_masked__plain_text__unchanged() -> None:
    text = "Cluster eu-west answered 403 to GET /apis/networking.istio.io/v1 (bearer of the reader)."

    assert masked(text) == text


def test_secret_filter__secret_in_arguments__masked_and_kept() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "got %s", ("Bearer canary-token-0123",), None)

    is_kept = SecretFilter().filter(record)

    assert is_kept
    assert record.getMessage() == "got •••"
