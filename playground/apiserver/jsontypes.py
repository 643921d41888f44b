"""What JSON is in this package, and the clock of the server."""

import time
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar, cast

Json: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Json]
T = TypeVar("T")


def timestamp(seconds: float | None = None) -> str:
    """Return a moment (now, unless told otherwise) as the server writes it: RFC 3339, whole seconds, UTC."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def clone(value: T) -> T:
    """Return a copy of a JSON value that shares nothing with it."""
    copied: Any = value
    if isinstance(value, dict):
        copied = {key: clone(child) for key, child in value.items()}
    elif isinstance(value, list):
        copied = [clone(child) for child in value]
    return cast("T", copied)
