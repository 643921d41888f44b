"""The second net under secrets: what looks like one never leaves in a log line."""

from __future__ import annotations

import logging
import re

SHAPES = re.compile(
    r"(?i:bearer)\s+[\w.~+/=-]{8,}"  # tokens in headers
    r"|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"  # JWT
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"  # PEM
    r"|meshui_\w{12}\.[\w-]+"  # our tokens
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS
    re.DOTALL,
)


def masked(text: str) -> str:
    """`text` with everything that looks like a secret replaced by •••."""
    return SHAPES.sub("•••", text)


class SecretFilter(logging.Filter):
    """Masks secrets in the finished message; never drops a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True."""
        message = record.getMessage()
        clean = masked(message)
        if clean != message:
            record.msg, record.args = clean, None
        return True
