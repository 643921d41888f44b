"""Native bodies as they may be kept: in plans, steps and history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshui.lib.masking import masked_body

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject


def stored_body(body: JsonObject) -> JsonObject:
    """`body` with secret values masked, without managedFields, which say who and not what."""
    metadata = body.get("metadata")
    kept = (
        {key: value for key, value in metadata.items() if key != "managedFields"} if isinstance(metadata, dict) else {}
    )
    return masked_body({**body, "metadata": cast("Any", kept)})
