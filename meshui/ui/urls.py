"""The page that shows all parts."""

from django.urls import path

from meshui.ui.design import DesignView

app_name = "ui"
urlpatterns = [path("design/", DesignView.as_view(), name="design")]
