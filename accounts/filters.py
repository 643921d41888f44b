"""What lists of accounts may be narrowed by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import django_filters
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Token, UserSession


class SessionFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """Sessions by person."""

    q = django_filters.CharFilter(label=_("Person"), method="narrow", max_length=100)

    def narrow(self, rows: QuerySet[UserSession], name: str, value: str) -> QuerySet[UserSession]:
        """By a part of a name."""
        return rows.filter(Q(user__username__icontains=value) | Q(user__display_name__icontains=value))


class TokenFilter(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """Tokens by person or name."""

    q = django_filters.CharFilter(label=_("Person or token"), method="narrow", max_length=100)

    def narrow(self, rows: QuerySet[Token], name: str, value: str) -> QuerySet[Token]:
        """By a part of a name."""
        return rows.filter(Q(owner__username__icontains=value) | Q(name__icontains=value))
