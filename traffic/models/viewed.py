"""What a person has read of a plan: marks of their own, which decide nothing."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from traffic.models.change import Change


class ViewedTarget(models.Model):
    """`viewer` has read what the plan with `digest` does to one target. Another digest is another text: not read yet.

    `target` is the mark that stands in URLs (traffic.cards.TargetCard.slug).
    """

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    target = models.CharField(max_length=16)
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    viewed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["change", "viewer", "digest", "target"], name="one_mark_a_target")
        ]

    def __str__(self) -> str:
        return f"{self.target} viewed"
