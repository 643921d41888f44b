"""/scope/: which environments a person sees, as links that narrow the page they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.selectors import signed_in
from clusters import selectors
from meshui.ui.places import came_from, place_at, with_params
from meshui.ui.views import PageView

if TYPE_CHECKING:
    from collections.abc import Mapping


class ScopeView(PageView):
    """/scope/?at=/services/?q=shop: the environments in scope; a name that is not there narrows to nothing."""

    needs = "inventory.read"
    page_template = "clusters/scope.html"
    partial = "sheet"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Each environment with the URL that it leads to, and how many clusters it has."""
        at = place_at(self.request.GET.get("at", "") or came_from(self.request))
        counts = selectors.count_by_environment(signed_in(self.request))
        return super().get_context_data(
            everywhere=with_params(at, env="", after=""),
            choices=[(name, n, with_params(at, env=name, after="")) for name, n in counts.items()],
            chosen=_env(at.params),
            **kwargs,
        )


def _env(params: Mapping[str, str]) -> str:
    return params.get("env", "")
