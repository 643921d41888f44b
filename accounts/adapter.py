"""How allauth is bent to MeshUI: nobody signs up by himself, tries are counted in rows, everything is recorded."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, gettext_lazy

from accounts.models import UserSession
from accounts.selectors import actor_of, hash_of, source_of, stranger_of
from accounts.services import give_back_try, record_failed_sign_in, record_sign_in, record_sign_out, reserve_try
from accounts.sessions import end

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User

DEVICE_COOKIE = "__Host-device" if settings.IS_HTTPS else "device"
DEVICE_SALT = "accounts.device"
DEVICE_LASTS = 365 * 24 * 3600
UNKNOWN_DEVICE = "unknown"
TOO_MANY = "too_many_login_attempts"


@dataclass(frozen=True, slots=True)
class Try:
    """One try to sign in, as it is counted."""

    username: str
    device: str
    address: str


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Closed sign-up; one way in; the same answer and time for unknown names, wrong passwords and closed accounts."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": gettext_lazy("The username or the password is wrong."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited, never self-made."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The account with this name and password, or None. Raises ValidationError after too many tries."""
        name = str(credentials.get("username", ""))
        attempt = Try(name, device_of(request, name), source_of(request).ip)
        tried = reserve_try(username=attempt.username, device=attempt.device, address=attempt.address)
        if not tried.is_allowed:
            raise ValidationError(
                gettext("Too many tries. Wait 15 minutes, or sign in on a device you have used before."), code=TOO_MANY
            )
        user: User | None = super().authenticate(request, **credentials)
        if user is None or not user.is_active:
            record_failed_sign_in(actor=stranger_of(request, name), is_last=tried.is_last)
            return None
        give_back_try(username=attempt.username, device=attempt.device, address=attempt.address)
        return user

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Nothing: allauth would count in a cache."""

    def _rollback_login_failed_rl_usage(self) -> None:
        """Nothing was counted there."""

    def login(self, request: HttpRequest, user: User) -> None:
        """Begin a session with a new key, and record it; if it cannot be recorded there is no session."""
        device = "new" if device_of(request, user.username) == UNKNOWN_DEVICE else "known"
        super().login(request, user)
        try:
            record_sign_in(actor=actor_of(request), device=device)
        except BaseException:
            request.session.flush()
            raise

    def logout(self, request: HttpRequest) -> None:
        """Record it and end the session."""
        record_sign_out(actor=actor_of(request))
        end(UserSession.objects.filter(session_key=request.session.session_key), "Signed out.")
        super().logout(request)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the page one lands on says who is signed in."""


def device_of(request: HttpRequest, username: str) -> str:
    """The device's own mark if `username` signed in on it before, else UNKNOWN_DEVICE, which all such share."""
    try:
        known = signing.loads(request.COOKIES.get(DEVICE_COOKIE, ""), salt=DEVICE_SALT, max_age=DEVICE_LASTS)
    except signing.BadSignature:
        return UNKNOWN_DEVICE
    name, mark = known
    return str(mark) if name == hash_of(username.strip().lower()) else UNKNOWN_DEVICE


def remember_device(response: HttpResponse, request: HttpRequest, username: str) -> None:
    """Mark this browser as one where `username` signed in: it gets a count of tries of its own."""
    mark = device_of(request, username)
    if mark == UNKNOWN_DEVICE:
        mark = secrets.token_urlsafe(16)
    value = signing.dumps([hash_of(username.strip().lower()), mark], salt=DEVICE_SALT)
    response.set_cookie(
        DEVICE_COOKIE, value, max_age=DEVICE_LASTS, secure=settings.IS_HTTPS, httponly=True, samesite="Lax"
    )
