"""What JSON is in this package, and the clock of the server."""

import time
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Json]


def timestamp(seconds: float | None = None) -> str:
    """Return a moment (now, unless told otherwise) as the server writes it: RFC 3339, whole seconds, UTC."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def clone(value: Any) -> Any:
    """Return a copy of a JSON value that shares nothing with it."""
    if isinstance(value, dict):
        return {key: clone(child) for key, child in value.items()}
    if isinstance(value, list):
        return [clone(child) for child in value]
    return value
