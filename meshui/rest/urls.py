"""/api/docs/"""

from django.urls import path

from meshui.rest.pages import OperationView, ReferenceView

app_name = "docs"
urlpatterns = [
    path("", ReferenceView.as_view(), name="operation-list"),
    path("<slug:operation>/", OperationView.as_view(), name="operation-detail"),
]
