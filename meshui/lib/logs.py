"""The second net under secrets: what looks like one never leaves in a log line."""

from __future__ import annotations

import logging
import re

SHAPES = re.compile(
    r"(?i:bearer)\s+[\w.~+/=-]{8,}"  # tokens in headers
    r"|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"  # JWT
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"  # PEM
    r"|meshui_\w{12}\.[\w-]+"  # our tokens
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|(?<=/set-password/)[\w-]{20,}|(?<=/first-administrator/)[\w-]{20,}",  # links that open an account once
    re.DOTALL,
)


def masked(text: str) -> str:
    """`text` with everything that looks like a secret replaced by •••."""
    return SHAPES.sub("•••", text)


def holds_secret(text: str) -> bool:
    """Whether something in `text` looks like a secret."""
    return SHAPES.search(text) is not None


class MaskingFormatter(logging.Formatter):
    """Masks secrets in the finished line, traceback and all; no record is dropped."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return masked(super().format(record))
