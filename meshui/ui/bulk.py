"""One verb on many rows of a list: called one per item, each its own transaction; a result per item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from django.db.models import Model
from django.http import QueryDict
from django.shortcuts import render
from django.utils.translation import gettext, ngettext

from meshui.lib.errors import RefusedError
from meshui.ui.needs import is_text
from meshui.ui.places import plain_query
from meshui.ui.views import ActionView, ObjectListView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.db.models import QuerySet
    from django.http import HttpResponse

M = TypeVar("M", bound=Model)
MOST: Final = 200
ANY: Final = "*"
"""What the page knew of a row that was not ticked by itself: whatever it is now."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one item. `name` is what people call it; `refused` says why, with the mend."""

    name: str
    url: str = ""
    said: str = ""
    refused: str = ""
    mend: str = ""


class BulkView(ActionView, Generic[M]):
    """POST with `item` for each chosen row, or `all` and the `query` of the list for all that match, at most 200.

    The page of the answer has a line per item: done, or refused with the reason. Out of scope and missing are alike.
    """

    list_view: ClassVar[type[ObjectListView[Any]]]
    key: ClassVar[str] = "pk"
    title: ClassVar[Any]
    page_template: ClassVar[str] = "parts/bulk_results.html"

    def act(self, row: M, seen: str, data: dict[str, Any]) -> str:
        """The verb on one row; what is said when it is done. `seen`: what the page knew of it."""
        raise NotImplementedError

    def face(self, row: M) -> tuple[str, str]:
        """Name and URL of a row."""
        raise NotImplementedError

    def back(self) -> str:
        """The list."""
        raise NotImplementedError

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Call the verb for each item, in the order of the list."""
        query = plain_query(self.request.POST.get("query", ""))
        found = list(self._all(query) if self.request.POST.get("all") else self._chosen())
        results = [self._result(name, row, seen, data) for name, row, seen in found[:MOST]]
        done = sum(not result.refused for result in results)
        context = {
            "title": self.title,
            "results": results,
            "done": ngettext("%(n)d done", "%(n)d done", done) % {"n": done},
            "refused": len(results) - done,
            "is_cut": len(found) > MOST,
            "most": MOST,
            "back": f"{self.back()}?{query}" if query else self.back(),
        }
        return render(self.request, self.page_template, context)

    def _result(self, name: str, row: M | None, seen: str, data: dict[str, Any]) -> Result:
        if row is None:
            return Result(name, refused=gettext("There is nothing of this name."), mend=gettext("Look at the list."))
        face = self.face(row)
        try:
            return Result(*face, said=self.act(row, seen, data))
        except RefusedError as refused:
            return Result(*face, refused=refused.message, mend=refused.mend)

    def _all(self, query: str) -> Iterator[tuple[str, M, str]]:
        """The rows that the filters of the list let through, one more than is done."""
        rows = self._list(QueryDict(query))
        return (("", row, ANY) for row in rows[: MOST + 1])

    def _chosen(self) -> Iterator[tuple[str, M | None, str]]:
        """What was ticked; `key.seen` where the page says what it knew."""
        asked = dict.fromkeys(text for text in self.request.POST.getlist("item") if is_text(text) and len(text) <= 100)
        pairs = [text.partition(".")[::2] for text in list(asked)[: MOST + 1]]
        rows = {str(getattr(row, self.key)): row for row in self._named([name for name, _ in pairs])}
        return ((name, rows.get(name), seen) for name, seen in pairs)

    def _named(self, names: Sequence[str]) -> QuerySet[M]:
        column = self.list_view(request=self.request).get_queryset().model._meta.get_field(self.key)  # noqa: SLF001 - Django's public way
        known = [name for name in names if column.get_internal_type() == "CharField" or name.isdecimal()]
        return self._list(QueryDict()).filter(**{f"{self.key}__in": [name for name in known if len(name) < 64]})

    def _list(self, params: QueryDict) -> QuerySet[M]:
        return self.list_view(request=self.request).narrowed(params)
