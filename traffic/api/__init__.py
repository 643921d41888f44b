"""/api/v1/changes/ and /api/v1/drift/: what may be asked of changes, every verb of one, and what others changed."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from traffic.api import parts
from traffic.api.changes import ChangeDetailView, ChangeListView, ChangePreviewView
from traffic.api.drift import DriftDetailView, DriftListView
from traffic.api.verbs import VERBS

__all__ = ["VERBS", "urlpatterns"]

ONE = "changes/<int:number>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("changes/", ChangeListView.as_view(), name="change-list"),
    path("changes/preview/", ChangePreviewView.as_view(), name="change-preview"),
    path(ONE, ChangeDetailView.as_view(), name="change-detail"),
    path(f"{ONE}targets/", parts.ChangeTargetListView.as_view(), name="change-targets"),
    path(f"{ONE}diffs/", parts.ChangeDiffListView.as_view(), name="change-diffs"),
    path(f"{ONE}votes/", parts.ChangeVoteListView.as_view(), name="change-votes"),
    path(f"{ONE}steps/", parts.ChangeStepListView.as_view(), name="change-steps"),
    path(f"{ONE}revisions/", parts.ChangeRevisionListView.as_view(), name="change-revisions"),
    path(f"{ONE}timeline/", parts.ChangeTimelineView.as_view(), name="change-timeline"),
    path(f"{ONE}conflicts/", parts.ChangeConflictsView.as_view(), name="change-conflicts"),
    *(path(f"{ONE}{verb}/", view.as_view(), name=f"change-{verb}") for verb, view in VERBS.items()),
    path("drift/", DriftListView.as_view(), name="drift-list"),
    path("drift/<uuid:drift_id>/", DriftDetailView.as_view(), name="drift-detail"),
]
