"""Asking the API as clients do: JSON in, JSON out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.test import Client

    from accounts.models import User


class Api:
    """The API as `user` uses it."""

    def __init__(self, client: Client, user: User) -> None:
        self.client = client
        client.force_login(user)

    def get(self, at: str, status: int = 200, **headers: str) -> Any:
        """What GET /api/v1/… answers, with this status."""
        answer = self.client.get(f"/api/v1/{at}", headers=_headers(headers))
        assert answer.status_code == status, answer.content
        return json.loads(answer.content)

    def post(self, at: str, body: Any = None, **headers: str) -> Any:
        """The answer to POST /api/v1/…; `json()` of it is the body."""
        text = json.dumps({} if body is None else body)
        return self.client.post(f"/api/v1/{at}", text, content_type="application/json", headers=_headers(headers))

    def put(self, at: str, body: Any, **headers: str) -> Any:
        """The answer to PUT /api/v1/…."""
        return self._send("PUT", at, body, headers)

    def patch(self, at: str, body: Any, **headers: str) -> Any:
        """The answer to PATCH /api/v1/…."""
        return self._send("PATCH", at, body, headers)

    def _send(self, method: str, at: str, body: Any, headers: Mapping[str, str]) -> Any:
        text = json.dumps(body)
        url = f"/api/v1/{at}"
        return self.client.generic(method, url, text, content_type="application/json", headers=_headers(headers))

    def walk(self, at: str) -> list[Any]:
        """Every item of a list, page by page."""
        found: list[Any] = []
        address: str | None = f"http://testserver/api/v1/{at}"
        while address:
            page = json.loads(self.client.get(address.removeprefix("http://testserver")).content)
            found += page["items"]
            address = page["next"]
        return found


def _headers(words: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in words.items()}
