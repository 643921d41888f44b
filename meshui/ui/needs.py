"""What every page and every route of the API declares: the verb it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.http import Http404
from django.utils.translation import gettext

from meshui.lib import rights
from meshui.lib.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest


def is_text(text: str) -> bool:
    """Whether every database can be asked for it: PostgreSQL refuses NUL, UTF-8 lone surrogates."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def require_text(names: Iterable[object]) -> None:
    """Raise Http404 if a part of the path holds what no name holds."""
    if not all(is_text(str(name)) for name in names):
        raise Http404


class Needs:
    """`needs` is a verb; what everybody signed in may open says `is_open = True` instead."""

    needs: ClassVar[str] = ""
    is_open: ClassVar[bool] = False
    request: HttpRequest

    def require(self, verb: str = "") -> None:
        """Refuse whoever has `verb` (else `needs`) nowhere; where they have it decides what they see: DeniedError."""
        needed = verb or self.needs
        if needed and not rights.has(self.request.user, needed):
            message = gettext("This needs the right “%(verb)s”, which no grant of yours carries.")
            raise DeniedError(message % {"verb": needed}, mend=gettext("Ask an Access admin for it."))
