"""/design/: every shared part with its states, in the theme of the reader. Invented data; for developers and tests."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final

from django import forms

from meshui.lib import clock
from meshui.lib.errors import StaleError
from meshui.ui.design_pictures import pictures_of
from meshui.ui.parts import SplitRow, Step
from meshui.ui.statuses import DRIFT, TABLES
from meshui.ui.tables import KeysetPage
from meshui.ui.views import PageView

DIGEST: Final = "9f31c2e4" * 8
BEFORE: Final = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: checkout
  namespace: retail
  annotations:
    owner: team-payments # on call: 24/7
spec:
  hosts: [checkout.retail.svc.cluster.local]
  http:
  - name: primary
    route:
    - destination: {host: checkout, subset: v1}
      weight: 90
    - destination: {host: checkout, subset: v2}
      weight: 10
    retries: {attempts: 2, perTryTimeout: 400ms}
  - name: "health"
    match:
    - uri: {prefix: /healthz}
    route:
    - destination:
        host: checkout
        subset: v1
    timeout: 1s
    fault: null
"""
AFTER: Final = BEFORE.replace("weight: 90", "weight: 75").replace("weight: 10", "weight: 25")
SEVEN: Final = (40, 25, 12, 10, 7, 4, 2)


class ClusterFilterForm(forms.Form):
    """A filter bar."""

    q = forms.CharField(label="Filter by name or region", required=False)
    health = forms.ChoiceField(
        required=False, choices=[("", "Any health"), ("at_risk", "At risk"), ("healthy", "Healthy")]
    )


class ConnectForm(forms.Form):
    """A form with one field of each kind."""

    name = forms.SlugField(help_text="Shown everywhere; letters, digits and dashes.")
    environment = forms.ChoiceField(choices=[("production", "Production"), ("staging", "Staging")])
    kubeconfig = forms.CharField(widget=forms.Textarea(attrs={"class": "code"}), required=False)
    upload = forms.FileField(required=False, label="Or a file")
    platform = forms.ChoiceField(
        widget=forms.RadioSelect, choices=[("kubernetes", "Kubernetes"), ("eks", "Amazon EKS")]
    )
    is_observe_only = forms.BooleanField(required=False, label="Observe only", help_text="MeshUI never writes to it.")


PILLS: Final = (
    ("live", "Live", "circle-dot", "l-live"),
    ("paused", "Paused", "circle-pause", "l-paused"),
    ("reconnecting", "Reconnecting", "loader", "l-reconnecting"),
    ("stale", "Stale 12 s", "clock-alert", "l-stale"),
    ("polling", "Polling", "refresh-cw", "l-polling"),
)
"""State of the Live pill, its word, icon and class."""


class DesignView(PageView):
    """/design/."""

    is_open: ClassVar[bool] = True
    page_template: ClassVar[str] = "design/design.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Invented data for every part."""
        return super().get_context_data(**_values(), **pictures_of(clock.now()), **_forms(), **kwargs)


def _values() -> dict[str, Any]:
    now = clock.now()
    clusters = [
        ("bank-fra-1", "at_risk"),
        ("prod-eu-west-1", "degraded"),
        ("stage-eu-west-1", "upgrading"),
        ("data-eu", "healthy"),
    ]
    return {
        "minutes_ago": now - dt.timedelta(minutes=6),
        "long_ago": now - dt.timedelta(days=40),
        "digest": DIGEST,
        "foreign": "etcdserver: request timed out \u202ednib\u202c\x07",
        "before": BEFORE,
        "after": AFTER,
        "steps": [
            Step("Proposed", "08:55", "done"),
            Step("Checked", "14 of 14 pass", "done"),
            Step("Approval", "1 of 2", "current"),
            Step("Apply", "2 clusters"),
            Step("Verify", "stored, accepted", "bad"),
        ],
        "statuses": [(kind, list(words)) for kind, words in TABLES.items()],
        "changes": list(TABLES["change"]),
        "meshes": ["istio", "linkerd", "consul", "kuma", "cilium", "appmesh", "lattice", "osm"],
        "clusters": clusters,
        "live": [(f"checkout-v{n}", share * 100) for n, share in enumerate(SEVEN, 1)],
        "two": [
            SplitRow("checkout-v1", 9000, "75", note="2.14.6"),
            SplitRow("checkout-v2", 1000, "25", note="2.15.0-rc3"),
        ],
        "seven": [SplitRow(f"checkout-v{n}", share * 100, str(share)) for n, share in enumerate(SEVEN, 1)],
        "refusal": StaleError(
            "This change request moved on since you opened it.", mend="Read it again below, then decide."
        ),
        "rows": KeysetPage(items=clusters, total=34_120, is_first=True, first_query="?", next_query="?after=x"),
        "sort": "-health",
        "pills": PILLS,
        "drifts": list(DRIFT),
    }


def _forms() -> dict[str, Any]:
    return {"filter_form": ClusterFilterForm({"q": "", "health": ""}), "form": ConnectForm({"name": "not a slug"})}
