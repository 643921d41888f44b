"""/api/docs/: the API for people, from the same document that programs read."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext, gettext_lazy

from meshui.lib.errors import MissingError
from meshui.rest.reference import Operation, operations_of, shapes_of
from meshui.rest.schema import openapi
from meshui.ui.views import PageView


class OperationFilter(forms.Form):
    """Which operations are looked for."""

    q = forms.CharField(label=gettext_lazy("Operation, address or right"), required=False, max_length=100)


class ReferenceView(PageView):
    """/api/docs/: every operation, by what it is about."""

    is_open: ClassVar[bool] = True
    page_template = "reference/operation_list.html"
    partial = "table"
    pushes_url = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Those whose words hold the text that is asked for."""
        form = OperationFilter(self.request.GET)
        text = form.cleaned_data["q"].casefold() if form.is_valid() else ""
        everything = operations_of(openapi())
        found = [each for each in everything if text in f"{each.summary} {each.path} {each.text}".casefold()]
        tags: dict[str, list[Operation]] = {}
        for each in found:
            tags.setdefault(each.tag, []).append(each)
        return super().get_context_data(
            tags=sorted(tags.items()),
            total=len(everything),
            filter_form=form,
            is_filtered=bool(text),
            **kwargs,
        )


class OperationView(PageView):
    """/api/docs/<operation>/: what one operation takes, shows and refuses."""

    is_open: ClassVar[bool] = True
    page_template = "reference/operation_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The operation of the URL. Raises MissingError."""
        found = {each.name: each for each in operations_of(openapi())}.get(kwargs["operation"])
        if found is None:
            raise MissingError(gettext("There is no such operation."), mend=gettext("Open the list of operations."))
        return super().get_context_data(**{**kwargs, "operation": found, "shapes": shapes_of(openapi(), found)})
