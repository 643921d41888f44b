"""Calls webhooks over HTTPS, as their configuration says."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playground.apiserver.store import encode

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json


class WebhookError(Exception):
    """A webhook could not be asked, or its answer cannot be used."""


def call_webhook(config: Json, review: Json, seconds: int) -> Json:
    """Return the AdmissionReview that `clientConfig.url` answers. Raises WebhookError."""
    url = config["url"]
    parts = urlsplit(url)
    context = ssl.create_default_context()
    if config.get("caBundle"):
        context = ssl.create_default_context(cadata=base64.b64decode(config["caBundle"]).decode())
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=float(seconds), context=context
    )
    try:
        connection.request("POST", parts.path or "/", encode(review), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise WebhookError(f"an error on the server ({body.decode(errors='replace')!r}) has prevented the request")
        found: Json = json.loads(body)
        if found["response"]["uid"] != review["request"]["uid"]:
            raise WebhookError("expected response.uid to be the one of the request")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise WebhookError(f'Post "{url}?timeout={seconds}s": {error}') from error
    finally:
        connection.close()
    return found
