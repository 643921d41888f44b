"""JSON into shapes, from any thread: a shape is made ready by one thread before another may use it.

What msgspec knows of a Struct it works out at the first use, and keeps it before it is whole, so that shapes may refer
to themselves; a second thread that decodes into it meanwhile ends the process with a segmentation fault (msgspec
0.22.0, StructInfo_Convert in _core.c). So nobody else makes decoders or converts: semgrep sees to it.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar, overload

import msgspec

T = TypeVar("T")
_TURN: Final = threading.Lock()
_ready: set[Any] = set()


def decoder_of(shape: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder of JSON into `shape`."""
    with _TURN:
        return msgspec.json.Decoder(shape)


@overload
def decoded(data: bytes | str, shape: type[T]) -> T: ...
@overload
def decoded(data: bytes | str, shape: Any) -> Any: ...
def decoded(data: bytes | str, shape: Any) -> Any:
    """JSON as a `shape`. Raises msgspec.DecodeError, and ValidationError where it is not one."""
    _make_ready(shape)
    return msgspec.json.decode(data, type=shape)


def converted(value: object, shape: type[T]) -> T:
    """Decoded JSON as a `shape`. Raises msgspec.ValidationError where it is not one."""
    _make_ready(shape)
    return msgspec.convert(value, shape)


def _make_ready(shape: Any) -> None:
    if shape in _ready:
        return
    with _TURN:
        msgspec.json.Decoder(shape)
        _ready.add(shape)
