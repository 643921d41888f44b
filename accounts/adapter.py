"""How allauth is bent to MeshUI: nobody signs up by himself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.adapter import DefaultAccountAdapter

if TYPE_CHECKING:
    from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Closed sign-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited, never self-made."""
        return False
