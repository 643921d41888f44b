"""meshui/lib/logs.py: what looks like a secret never leaves in a line."""

from __future__ import annotations

import logging

import pytest

from meshui.lib.logs import MaskingFormatter, masked

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
        ("Gone: /set-password/canary_canary-canary_canary-canary_canary-c01/", "canary"),
        ("Gone: /first-administrator/canary_canary-canary_canary-canary_canary-c01/", "canary"),
        ("aws AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_masked__secret_in_text__replaced(text: str, canary: str) -> None:
    assert canary not in masked(text)
    assert "•••" in masked(text)


def test_masked__plain_text__unchanged() -> None:
    text = "Cluster eu-west answered 403 to GET /apis/networking.istio.io/v1 (bearer of the reader)."

    assert masked(text) == text


def test_formatter__secret_in_arguments_and_in_the_traceback__masked_and_kept() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("Bearer canary-token-0123")
    raised = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "got %s", (PEM,), raised)

    line = MaskingFormatter("{message}", style="{").format(record)

    assert line.startswith("got •••\nTraceback")
    assert line.endswith("base 10: '•••'")
    assert "anary" not in line
