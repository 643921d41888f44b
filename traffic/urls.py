"""URLs of traffic."""

from django.urls import URLPattern, URLResolver, path

from traffic.views import changes, decide, diffs, drift, evidence, fleet, history, inbox, joblog, many, search, split

app_name = "traffic"

SERVICE = "services/<slug:scope>/<str:namespace>/<str:name>/"
SPLIT = f"{SERVICE}split/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", fleet.FleetView.as_view(), name="fleet"),
    path("fleet/counts/", fleet.FleetCountsView.as_view(), name="fleet-counts"),
    path("fleet/attention/", fleet.FleetAttentionView.as_view(), name="fleet-attention"),
    path("fleet/attention/<slug:mark>/snooze/", fleet.NeedSnoozeView.as_view(), name="need-snooze"),
    path("fleet/attention/<slug:mark>/wake/", fleet.NeedWakeView.as_view(), name="need-wake"),
    path("fleet/moving/", fleet.FleetMovingView.as_view(), name="fleet-moving"),
    path("fleet/activity/", fleet.FleetActivityView.as_view(), name="fleet-activity"),
    path("search/", search.SearchView.as_view(), name="search"),
    path(SPLIT, split.SplitView.as_view(), name="split"),
    path(f"{SPLIT}preview/", split.SplitPreviewView.as_view(), name="split-preview"),
    path(f"{SERVICE}history/", history.ServiceHistoryView.as_view(), name="service-history"),
    path("clusters/<slug:slug>/history/", history.ClusterHistoryView.as_view(), name="cluster-history"),
    path("meshes/<uuid:pk>/history/", history.MeshHistoryView.as_view(), name="mesh-history"),
    path("drift/", drift.DriftListView.as_view(), name="drift-list"),
    path("drift/<uuid:pk>/diff/", drift.DriftDiffView.as_view(), name="drift-diff"),
    path("clusters/<slug:slug>/drift/", drift.ClusterDriftView.as_view(), name="cluster-drift"),
    path("inbox/", inbox.InboxView.as_view(), name="inbox"),
    path("inbox/card/", inbox.InboxCardView.as_view(), name="inbox-card"),
    path("bulk/changes/cancel/", many.ChangeCancelManyView.as_view(), name="change-cancel-many"),
    path("changes/", changes.ChangeListView.as_view(), name="change-list"),
    path("changes/<int:number>/", changes.ChangeDetailView.as_view(), name="change-detail"),
    path("changes/<int:number>/live/", changes.ChangeLiveView.as_view(), name="change-live"),
    path("changes/<int:number>/decision/", changes.ChangeDecisionView.as_view(), name="change-decision"),
    path("changes/<int:number>/checks/", changes.ChangeChecksView.as_view(), name="change-checks"),
    path("changes/<int:number>/diff/<slug:target>/", diffs.ChangeDiffView.as_view(), name="change-diff"),
    path("changes/<int:number>/diff/<slug:target>/raw/", diffs.ChangeRawView.as_view(), name="change-raw"),
    path("changes/<int:number>/diff/<slug:target>/viewed/", diffs.ChangeViewedView.as_view(), name="change-viewed"),
    path("changes/<int:number>/log/", joblog.ChangeLogView.as_view(), name="change-log"),
    path("changes/<int:number>/log/text/", joblog.ChangeLogTextView.as_view(), name="change-log-text"),
    path("changes/<int:number>/evidence/", evidence.ChangeEvidenceView.as_view(), name="change-evidence"),
    path("changes/<int:number>/evidence/json/", evidence.ChangeEvidenceFileView.as_view(), name="change-evidence-file"),
    path("changes/<int:number>/targets/", changes.ChangeTargetsView.as_view(), name="change-targets"),
    path("changes/<int:number>/timeline/", changes.ChangeTimelineView.as_view(), name="change-timeline"),
    path("changes/<int:number>/edit/", split.ChangeEditView.as_view(), name="change-edit"),
    path("changes/<int:number>/edit/preview/", split.ChangeEditPreviewView.as_view(), name="change-edit-preview"),
    path("changes/<int:number>/plan/", decide.ChangePlanView.as_view(), name="change-plan"),
    path("changes/<int:number>/submit/", decide.ChangeSubmitView.as_view(), name="change-submit"),
    path("changes/<int:number>/approve/", decide.ChangeApproveView.as_view(), name="change-approve"),
    path("changes/<int:number>/deny/", decide.ChangeDenyView.as_view(), name="change-deny"),
    path("changes/<int:number>/revoke/", decide.ChangeRevokeView.as_view(), name="change-revoke"),
    path("changes/<int:number>/start/", decide.ChangeStartView.as_view(), name="change-start"),
    path("changes/<int:number>/pause/", decide.ChangePauseView.as_view(), name="change-pause"),
    path("changes/<int:number>/resume/", decide.ChangeResumeView.as_view(), name="change-resume"),
    path("changes/<int:number>/recheck/", decide.ChangeRecheckView.as_view(), name="change-recheck"),
    path("changes/<int:number>/cancel/", decide.ChangeCancelView.as_view(), name="change-cancel"),
    path(
        "changes/<int:number>/accept-partial/",
        decide.ChangeAcceptPartialView.as_view(),
        name="change-accept-partial",
    ),
    path("changes/<int:number>/roll-back/", decide.ChangeRollBackView.as_view(), name="change-roll-back"),
]
