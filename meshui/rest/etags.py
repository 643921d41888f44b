"""ETags: what is shown under the same one is the same (RFC 9110 8.8.3, 13.1)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from rest_framework.utils.encoders import JSONEncoder

if TYPE_CHECKING:
    from rest_framework.request import Request


def etag_of(data: Any) -> str:
    """Of what is shown, whole."""
    text = json.dumps(data, cls=JSONEncoder, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_unchanged(request: Request, etag: str) -> bool:
    """Whether If-None-Match names `etag`; compared weakly, as RFC 9110 has it."""
    given = [part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")]
    return etag in given or given == ["*"]
