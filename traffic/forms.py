"""What pages of traffic take in: they check shape, never rights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext, gettext_lazy

from meshui.lib.errors import PreconditionRequiredError
from meshui.ui.parts import SplitRow
from meshui.ui.wording import percent_text
from traffic.checks.weights import check_not_all_zero, check_sum
from traffic.diff import match_words
from traffic.types import Proposal, Seen
from traffic.weights import WeightError, parse_percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.http import QueryDict

    from meshes.types import Route, Rule

MAX_DIGEST = 64


class SeenForm(forms.Form):
    """A verb on a change: the version and the plan's digest that the reader had before them."""

    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    digest = forms.CharField(required=False, max_length=MAX_DIGEST)


class CommentForm(SeenForm):
    """A decision."""

    comment = forms.CharField(required=False, max_length=4000, strip=True)


class ReasonForm(SeenForm):
    """A verb that may be given a reason."""

    reason = forms.CharField(required=False, max_length=2000, strip=True)


def seen_in(data: Mapping[str, Any], change_id: UUID, *, needs_digest: bool) -> Seen:
    """What the reader saw. Raises PreconditionRequiredError if the form does not say it."""
    version, digest = data.get("version"), str(data.get("digest") or "")
    if version is None or (needs_digest and not digest):
        raise PreconditionRequiredError(
            gettext("The form did not say which version of the change it was about."),
            mend=gettext("Open the change request again and decide there."),
        )
    return Seen(change_id, int(version), digest)


class PercentField(forms.CharField):
    """A share as people write it; cleaned to basis points."""

    def __init__(self, *, label: str) -> None:
        super().__init__(label=label, max_length=20, error_messages={"required": gettext_lazy("Write a percentage.")})

    def clean(self, value: Any) -> int:
        """Basis points."""
        text = super().clean(value)
        try:
            return parse_percent(text)
        except WeightError as error:
            raise forms.ValidationError(str(error)) from error


@dataclass(frozen=True, slots=True)
class RuleFields:
    """One rule of the form: what it is for, a row per backend. `only` names the backend of a rule without choice."""

    name: str
    matches: tuple[str, ...]
    prefix: str
    rows: list[SplitRow]
    only: str


class SplitForm(forms.Form):
    """A new split of one route: a field per backend of each rule that has at least two, targets, title and reason.

    `base` is the route as it is now; `wanted` what the fields show first; `targets` the (route id, label) that may be
    chosen. Cleaned: `desired`, the whole route.
    """

    title = forms.CharField(label=gettext_lazy("Title"), max_length=200)
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Read by who approves it. Say also how you will know that it went well."),
    )
    ticket = forms.CharField(label=gettext_lazy("Ticket"), max_length=100, required=False)
    route = forms.MultipleChoiceField(
        label=gettext_lazy("Clusters"),
        error_messages={"required": gettext_lazy("Choose at least one cluster to change.")},
    )
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        base: Route,
        targets: Sequence[tuple[str, str]],
        wanted: Route | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, auto_id="%s", initial=initial)
        self.base, self.wanted = base, wanted or base
        self.fields["route"].choices = targets  # type: ignore[attr-defined]  # MultipleChoiceField has them
        for name, label in self._weight_fields():
            self.fields[name] = PercentField(label=label)

    def clean(self) -> dict[str, Any]:
        """With `desired`, if every field could be read. Sums are checked as the verb checks them."""
        data = super().clean() or {}
        if all(name in data for name, _ in self._weight_fields()):
            data["desired"] = self._desired(data)
            for check in (check_sum, check_not_all_zero):
                for finding in check(data["desired"]):
                    self.add_error(None, f"{finding.where}: {finding.message}")
        return data

    def proposal(self) -> Proposal:
        """What was asked for; of a valid form."""
        data = self.cleaned_data
        return Proposal(
            title=data["title"],
            reason=data["reason"],
            ticket=data["ticket"],
            desired=data["desired"],
            route_ids=tuple(UUID(pk) for pk in data["route"]),
        )

    def rules(self) -> list[RuleFields]:
        """The rules, in order; one without a choice has no rows and stays as it is."""
        return [
            RuleFields(
                name=rule.name,
                matches=tuple(match_words(match) for match in rule.matches),
                prefix=prefix(index),
                rows=list(self._rows(index, rule)) if len(rule.backends) > 1 else [],
                only=", ".join(item.backend.name for item in rule.backends),
            )
            for index, rule in enumerate(self.base.rules)
        ]

    @property
    def can_split(self) -> bool:
        """Whether any rule has a choice."""
        return bool(self._splittable())

    def _splittable(self) -> list[tuple[int, Rule]]:
        return [(index, rule) for index, rule in enumerate(self.base.rules) if len(rule.backends) > 1]

    def _weight_fields(self) -> Iterator[tuple[str, str]]:
        for index, rule in self._splittable():
            for number, item in enumerate(rule.backends):
                label = gettext("Share of %(name)s in %(rule)s") % {"name": item.backend.name, "rule": rule.name}
                yield f"{prefix(index)}weight-{number}", label

    def _rows(self, index: int, rule: Rule) -> Iterator[SplitRow]:
        shown = {item.backend.key: item.weight_bp for item in self.wanted.rules[index].backends}
        for number, item in enumerate(rule.backends):
            name = f"{prefix(index)}weight-{number}"
            first = percent_text(shown.get(item.backend.key, item.weight_bp))
            text = str(self.data.get(name, "")) if self.is_bound else first
            labels = ", ".join(f"{key}={value}" for key, value in item.backend.labels)
            yield SplitRow(
                name=item.backend.name,
                live_bp=item.weight_bp,
                text=text,
                note=labels or item.backend.key,
                error=" ".join(map(str, self.errors.get(name, []))) if self.is_bound else "",
            )

    def _desired(self, data: Mapping[str, Any]) -> Route:
        rules = list(self.base.rules)
        for index, rule in self._splittable():
            shares = [data[f"{prefix(index)}weight-{number}"] for number in range(len(rule.backends))]
            backends = tuple(
                item if item.weight_bp == share else replace(item, weight_bp=share, native_weight=None)
                for item, share in zip(rule.backends, shares, strict=True)
            )
            rules[index] = replace(rule, backends=backends)
        return replace(self.base, rules=tuple(rules))


def prefix(index: int) -> str:
    """What the names of the fields of a rule begin with."""
    return f"r{index}-"
