"""People, what they were granted, one-time links, and the counters of failed sign-ins."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from accounts.types import ROLE_LABELS, ROLES, VERB_LABELS, Scope
from audit.types import About
from meshui.lib.clock import db_now, now
from meshui.lib.ids import new_id

if TYPE_CHECKING:
    from uuid import UUID


def check_time_zone(value: str) -> None:
    """Refuse what the time zone database does not know."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"{value} is not a time zone: write one such as Europe/Berlin or UTC.")


def check_scope(value: object) -> None:
    """Refuse what is not a scope."""
    try:
        Scope.parsed(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class User(AbstractUser):
    """A person. Rights come from grants alone; `is_superuser` opens nothing."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    first_name = None  # type: ignore[assignment]  # one name, as people write it
    last_name = None  # type: ignore[assignment]  # as above
    display_name = models.CharField(max_length=150)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    idp_sub = models.CharField(max_length=255, blank=True, default="")

    token: Token | None = None  # the one with which this request was sent (accounts.authentication), and its key
    token_key = ""

    if TYPE_CHECKING:
        grants: models.Manager[Grant]

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_full_name(self) -> str:
        """The name people know."""
        return str(self)

    def get_short_name(self) -> str:
        """The name people know."""
        return str(self)

    def to_audit(self) -> About:
        """Names as values."""
        return About(kind="user", id=str(self.pk), name=self.username)


class GrantQuerySet(models.QuerySet["Grant"]):
    """Grants, by what they are good for."""

    def live(self) -> GrantQuerySet:
        """Not expired by the database's clock, of people who are active."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=db_now()), user__is_active=True)

    def of(self, user_id: UUID) -> GrantQuerySet:
        """Of one person."""
        return self.filter(user_id=user_id)

    def carrying(self, verb: str) -> GrantQuerySet:
        """Whose role carries `verb`; none if no role does."""
        return self.filter(role__in=[role for role, verbs in ROLES.items() if verb in verbs])


class Grant(models.Model):
    """A role for a person, within a scope, perhaps for a time. Grants add up; there is none that denies."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=list(ROLE_LABELS.items()))
    scope = models.JSONField(default=dict, blank=True, validators=[check_scope])
    expires_at = models.DateTimeField(null=True, blank=True)
    created_by_id = models.CharField(max_length=64, blank=True)
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ["role", "created_at", "pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(role__in=list(ROLES)), name="grant_role_known"),
        ]

    def __str__(self) -> str:
        return f"{ROLE_LABELS[self.role]} for {self.user.username} ({self.scope_text})"

    @property
    def bounds(self) -> Scope:
        """The scope as a value. Raises ValueError if the row holds none: better no right than a wrong one."""
        return Scope.parsed(self.scope)

    @property
    def scope_text(self) -> str:
        """The scope in words."""
        try:
            return str(self.bounds)
        except ValueError as error:
            return f"nowhere: {error}"

    def to_audit(self) -> About:
        """Names as values."""
        return About(kind="grant", id=str(self.pk), name=str(self))


class TokenQuerySet(models.QuerySet["Token"]):
    """Tokens, by what they are good for."""

    def live(self) -> TokenQuerySet:
        """Neither over nor revoked, of people who are active."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=db_now(), owner__is_active=True)


class Token(models.Model):
    """A way into the API for a program of `owner`: some of what the owner may, within `scope`, for a time.

    Of its text only an HMAC is kept (accounts.secrets).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=12, unique=True)
    pepper = models.CharField(max_length=8)
    digest = models.CharField(max_length=64)
    verbs = models.JSONField(default=list)
    scope = models.JSONField(default=dict, blank=True, validators=[check_scope])
    cidrs = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_why = models.CharField(max_length=200, blank=True, default="")

    objects = TokenQuerySet.as_manager()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["created_at", "id"], name="token_by_age")]

    def __str__(self) -> str:
        return f"{self.name} of {self.owner.username}"

    @property
    def is_live(self) -> bool:
        """Whether it works now."""
        return self.revoked_at is None and self.expires_at > now() and self.owner.is_active

    @property
    def bounds(self) -> Scope:
        """Its scope as a value. Raises ValueError if the row holds none."""
        return Scope.parsed(self.scope)

    @property
    def powers(self) -> list[str]:
        """What it may, in words."""
        return [label for verb, label in VERB_LABELS.items() if verb in self.verbs]

    @property
    def scope_text(self) -> str:
        """Its scope in words."""
        try:
            return str(self.bounds) if self.scope else "wherever its owner may"
        except ValueError as error:
            return f"nowhere: {error}"

    def to_audit(self) -> About:
        """Names as values."""
        return About(kind="token", id=str(self.pk), name=self.name)


class UserSession(models.Model):
    """Where somebody is, or was, signed in. `session_key` is that of Django's row, and gone with it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True, null=True, blank=True)
    address = models.CharField(max_length=45, blank=True, default="")
    browser = models.CharField(max_length=60, blank=True, default="")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["-seen_at", "pk"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["started_at", "id"], name="session_by_age")]

    def __str__(self) -> str:
        return f"{self.user.username}, {self.browser}"

    def to_audit(self) -> About:
        """Names as values; the key is nobody's business."""
        return About(kind="session", id=str(self.pk), name=str(self))


class OneTimeLink(models.Model):
    """A link that works once: only the hash of its token is kept. Without a user it makes the first administrator."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    token_hash = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="links")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"link for {self.user or 'the first administrator'}"


class SignInTries(models.Model):
    """Failed sign-ins of one bucket (account and device, or address) since `since`: never evicted, unlike a cache."""

    bucket = models.CharField(max_length=64, primary_key=True)
    since = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "sign-in tries"

    def __str__(self) -> str:
        return f"{self.count} tries since {self.since}"


class SavedView(models.Model):
    """A list as one person wants to see it again: a page and its query under a name; one may be its default."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    path = models.CharField(max_length=500)
    query = models.CharField(max_length=2000, blank=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["path", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "path", "name"], name="saved_view_name"),
            models.UniqueConstraint(fields=["user", "path"], condition=Q(is_default=True), name="saved_view_default"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """Where it leads."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def to_audit(self) -> About:
        """Names as values."""
        return About(kind="saved view", id=str(self.pk), name=self.name)
