"""/topology/: who calls whom, around a service, or one level up: clusters and meshes. And the tab of one service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy

from accounts.forms import UtcField
from accounts.rights import Held
from accounts.selectors import signed_in
from accounts.types import READ
from meshes.selectors import adapter_for, managed_of, members_of
from meshui.lib.errors import MissingError
from meshui.ui import graphviz
from meshui.ui.context import env_of
from meshui.ui.graphs import GraphError, GraphTooBigError
from meshui.ui.statuses import status_of
from meshui.ui.views import PageView
from metrics.selectors import oldest_kept
from traffic import topology
from traffic.calls import CallsOf, CrossingsOf, ServiceKey, all_calls, no_crossings
from traffic.sight import Sight
from traffic.topology import HOPS, Asked, Topology
from traffic.topology.when import RANGES, When

if TYPE_CHECKING:
    from meshes.selectors import Member

LEVELS: Final = (
    ("meshes", gettext_lazy("Meshes")),
    ("clusters", gettext_lazy("Clusters")),
    ("services", gettext_lazy("Services")),
    ("versions", gettext_lazy("Versions")),
)
AROUND: Final = frozenset({"services", "versions"})
"""Levels that begin at a focus."""
OLD: Final = frozenset({"failed", "stale", "never"})
ONLY: Final = (("errors", gettext_lazy("With errors")), ("traffic", gettext_lazy("Without idle ones")))
KEPT: Final = ("hops", "group", "only", "view", "env", "level", "minutes", "at")
"""Parameters that links to another focus take along."""
TIME: Final = frozenset({"minutes", "at"})
FILTERS: Final = frozenset({"focus", "hops", "only", "group", "namespace", "cluster", "mesh", "find"})


class TopologyForm(forms.Form):
    """What the URL asks for."""

    focus = forms.CharField(required=False, max_length=600)
    hops = forms.TypedChoiceField(required=False, coerce=int, choices=[(n, n) for n in HOPS])
    level = forms.ChoiceField(required=False, choices=LEVELS)
    group = forms.ChoiceField(required=False, choices=[("namespace", "")])
    only = forms.ChoiceField(required=False, choices=ONLY)
    view = forms.ChoiceField(required=False, choices=[("table", "")])
    minutes = forms.TypedChoiceField(required=False, coerce=int, choices=[(n, n) for n in RANGES])
    at = UtcField(required=False)
    namespace = forms.CharField(required=False, max_length=253)
    cluster = forms.CharField(required=False, max_length=253)
    mesh = forms.CharField(required=False, max_length=20)
    find = forms.CharField(required=False, max_length=253)
    pick = forms.CharField(required=False, max_length=2000)


FIXED: Final = {"hops": HOPS, "only": ONLY, "ranges": RANGES}
PLAIN: Final[dict[str, Any]] = dict.fromkeys(TopologyForm.base_fields, "") | {"hops": 2, "minutes": 1, "at": None}


class GraphView(PageView):
    """A page with a graph. What cannot be drawn is still a table, and the page says why."""

    needs = READ
    partial = "graph"
    pushes_url = True
    calls_of: ClassVar[CallsOf] = staticmethod(all_calls)

    @cached_property
    def sight(self) -> Sight:
        """What the reader sees, of the environment that the URL narrows to."""
        return Sight(Held(signed_in(self.request)), env_of(self.request))

    @cached_property
    def wanted(self) -> dict[str, Any]:
        """The fields of the form; what cannot be read is as if it were not there."""
        form = TopologyForm(self.request.GET)
        form.is_valid()
        return PLAIN | {name: value for name, value in form.cleaned_data.items() if value}

    @cached_property
    def when(self) -> When:
        """The span of time that the URL names."""
        return When.of(self.wanted["minutes"], self.wanted["at"])

    def around(self, starts: list[ServiceKey], *, by: str) -> Topology:
        """The services around these, as the URL asks for."""
        wanted = self.wanted
        kept = {name: self.request.GET[name] for name in KEPT if self.request.GET.get(name)}
        narrow = {name: wanted[name] for name in ("namespace", "cluster", "mesh")}
        asked = Asked(wanted["hops"], by, kept, self.when.span, **narrow)
        found = topology.around(self.sight, starts, asked, calls_of=type(self).calls_of)
        return topology.narrowed(found, wanted["only"])

    def drawn(self, found: Topology) -> dict[str, Any]:
        """The graph, what of it is old, and its picture or why there is none."""
        old = [(cluster, word) for cluster, word in found.words.items() if word in OLD]
        notes = {cluster.slug: str(status_of(word, "sync").word) for cluster, word in old}
        query = self.request.GET.copy()
        query.pop("pick", None)
        pick, find = self.wanted["pick"], self.wanted["find"]
        shown = topology.noted(topology.linked(found, query.urlencode(), pick=pick, find=find), notes)
        return {"old": old, "panel": topology.panel_of(shown), **self.told(shown), **self._picture(shown)}

    def told(self, found: Topology | None) -> dict[str, Any]:
        """What every state of the page needs."""
        return {
            **FIXED,
            "found": found,
            "asked": self.wanted,
            "when": self.when,
            "meshes": [(kind, adapter_for(kind).label) for kind in found.choices.meshes] if found else [],
            **self._unstored(found),
            "but_time": self._others(TIME),
            "but_filters": self._others(FILTERS),
        }

    def _unstored(self, found: Topology | None) -> dict[str, Any]:
        """Whether nothing is stored of an earlier time, and since when anything is."""
        is_unstored = found is not None and not found.has_data and self.when.at is not None
        return {"is_unstored": is_unstored, "oldest": oldest_kept(found.clusters) if is_unstored and found else None}

    def _others(self, names: frozenset[str]) -> list[tuple[str, str]]:
        """The parameters of the URL but these, which a form takes along."""
        rest = self.request.GET.dict()
        return [(name, str(value)) for name, value in rest.items() if value and name not in {*names, "pick"}]

    def _picture(self, found: Topology) -> dict[str, Any]:
        try:
            found.graph.require_size()
            picture = None if self.wanted["view"] == "table" else graphviz.draw(found.graph)
        except GraphTooBigError:
            return {"picture": None, "problem": "big"}
        except graphviz.DotMissingError:
            return {"picture": None, "problem": "missing"}
        except GraphError:
            return {"picture": None, "problem": "failed"}
        return {"picture": picture, "problem": ""}


class TopologyView(GraphView):
    """/topology/?focus=&hops=&level=: from a service outwards, or of meshes or clusters; never of everything."""

    page_template = "traffic/topology.html"
    crossings_of: ClassVar[CrossingsOf] = staticmethod(no_crossings)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The graph that the URL asks for, or what it could begin with."""
        level = self.wanted["level"] or "services"
        read = {"clusters": self.read_clusters, "meshes": self.read_meshes}.get(level, self.read_services)
        return super().get_context_data(level=level, is_around=level in AROUND, levels=LEVELS, **read(), **kwargs)

    def read_clusters(self) -> dict[str, Any]:
        """All of them."""
        found = topology.of_clusters(self.sight, self.when.span, crossings_of=type(self).crossings_of)
        return {"focus": None, "matches": [], "starts": [], **self.drawn(found)}

    def read_meshes(self) -> dict[str, Any]:
        """All of them."""
        found = topology.of_meshes(self.sight, self.when.span)
        return {"focus": None, "matches": [], "starts": [], **self.drawn(found)}

    def read_services(self) -> dict[str, Any]:
        """Around the focus; without one, or where several could be meant, those to choose from."""
        focus, matches = self.focus()
        if focus is None:
            begin = matches if self.wanted["focus"] else topology.split_services(self.sight)
            return {"focus": None, "matches": begin, "old": [], "panel": None, "starts": [], **self.told(None)}
        starts = topology.find_services(self.sight, focus.cluster, focus.namespace, focus.name)
        if not starts:
            raise MissingError(gettext("There is no such service."), mend=gettext("Choose another focus."))
        by = "version" if self.wanted["level"] == "versions" else self.wanted["group"]
        return {"focus": focus, "matches": [], "starts": starts, **self.drawn(self.around(starts, by=by))}

    def focus(self) -> tuple[ServiceKey | None, list[ServiceKey]]:
        """The service that the URL names whole, or the only one that fits what was typed; else all that fit."""
        text = self.wanted["focus"].strip()
        parts = text.split("/")
        if len(parts) == 3 and all(parts):
            return ServiceKey(*parts), []
        matches = topology.match_services(self.sight, text) if text else []
        return (matches[0], []) if len(matches) == 1 else (None, matches)


class ServiceTopologyView(GraphView):
    """/services/<scope>/<namespace>/<name>/topology/: the same around one service."""

    page_template = "traffic/service_topology.html"

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The service in its scope, under the name that it has in each cluster. Raises MissingError."""
        user, kwargs = signed_in(self.request), self.kwargs
        found = members_of(user, kwargs["namespace"], kwargs["name"], scope=kwargs["scope"])
        if not found.here and not found.away:
            raise MissingError(gettext("There is no such service."), mend=gettext("Open the list of services."))
        return found.here

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The graph, and how its routes stand to what MeshUI left."""
        starts = [ServiceKey(member.cluster.slug, member.namespace, member.name) for member in self.members]
        found = self.around(starts, by="")
        words = {member.cluster: found.words[member.cluster] for member in self.members}
        focus = ServiceKey(kwargs["scope"], kwargs["namespace"], kwargs["name"])
        return super().get_context_data(
            focus=focus,
            starts=starts,
            is_around=True,
            fact=managed_of(self.sight.held, self.members, words),
            **self.drawn(found),
            **kwargs,
        )
