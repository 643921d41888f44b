"""The page that shows all parts, and where browsers report what they blocked."""

from django.urls import path

from meshui.ui.design import DesignView
from meshui.ui.reports import CspReportView

app_name = "ui"
urlpatterns = [
    path("design/", DesignView.as_view(), name="design"),
    path("csp-report/", CspReportView.as_view(), name="csp-report"),
]
