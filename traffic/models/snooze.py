"""What one person does not want to be told of for a while. It hides an entry from them alone and decides nothing."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from audit.types import About


class Snooze(models.Model):
    """`user` is not told of the need with `mark` (traffic.attention.Need.mark) before `until`.

    `since` is when it had begun; what begins anew later is told again. `words` and `place` say what it was.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    mark = models.CharField(max_length=16)
    words = models.CharField(max_length=200)
    place = models.CharField(max_length=200)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "mark"], name="one_snooze_a_need")
        ]

    def __str__(self) -> str:
        return f"{self.words} until {self.until}"

    def to_audit(self) -> About:
        """Names as values."""
        return About(kind="attention", id=self.mark, name=f"{self.words} · {self.place}")
