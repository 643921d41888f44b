"""What pages of traffic take in: they check shape, never rights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from meshes.types import FULL
from meshui.lib.errors import PreconditionRequiredError
from meshui.ui.parts import SplitRow
from meshui.ui.wording import percent, percent_text
from traffic import edits
from traffic.checks.weights import check_not_all_zero, check_sum
from traffic.types import Proposal, Seen
from traffic.weights import WeightError, parse_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from django.http import QueryDict

    from meshes.types import HeaderMatch, Route, Rule
    from traffic.types import Wanted

MAX_DIGEST = 64
NONE = "\u2013"


class SeenForm(forms.Form):
    """A verb on a change: the version and the plan's digest that the reader had before them."""

    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    digest = forms.CharField(required=False, max_length=MAX_DIGEST)


class ViewedForm(forms.Form):
    """Whether one target of the plan with `digest` was read."""

    digest = forms.CharField(max_length=MAX_DIGEST)
    viewed = forms.ChoiceField(choices=[("1", "1"), ("0", "0")])


class CommentForm(SeenForm):
    """A decision."""

    comment = forms.CharField(required=False, max_length=4000, strip=True)


class WhyForm(forms.Form):
    """A reason alone."""

    reason = forms.CharField(required=False, max_length=2000, strip=True)


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
class Draft:
    """What a split form begins with: the rules and shares to show, and the route as it is (None: there is none yet).

    `texts`: fields as they were typed, by (rule, key of the backend), where they could not be read.
    """

    route: Route
    live: Route | None
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleFields:
    """One rule of the form: what it is for, a row per backend. `only` names the backend of a rule without choice.

    `header`: the one that it matches, if that can be edited; `is_for_chosen`: it can be removed.
    """

    name: str
    index: int
    matches: tuple[str, ...]
    prefix: str
    rows: list[SplitRow]
    only: str
    keys: tuple[str, ...]
    header: HeaderMatch | None
    is_for_chosen: bool
    is_new: bool
    sum_words: str
    is_whole: bool


class ProposalForm(forms.Form):
    """What every proposal says: title, reason, ticket, and its targets among `choices` of (value, label).

    `wanted` makes of a chosen value and a desired route what shall become of it, or says why it cannot.
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
        draft: Draft,
        choices: Sequence[tuple[str, str]],
        wanted: Callable[[str, Route], Wanted | str],
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, auto_id="%s", initial=initial)
        self.draft, self._wanted, self._labels = draft, wanted, dict(choices)
        self.fields["route"].choices = choices  # type: ignore[attr-defined]  # MultipleChoiceField has them

    def clean(self) -> dict[str, Any]:
        """With `desired` and, of each chosen place, what shall become of it: `targets`."""
        data = super().clean() or {}
        desired = self.desired(data)
        if desired is not None:
            data["desired"] = desired
            data["targets"] = tuple(self._targets(data.get("route") or (), desired))
        return data

    def desired(self, data: Mapping[str, Any]) -> Route | None:
        """What is asked for; None: a field could not be read."""
        return self.draft.route

    def proposal(self) -> Proposal:
        """What was asked for; of a valid form."""
        data = self.cleaned_data
        return Proposal(
            title=data["title"],
            reason=data["reason"],
            ticket=data["ticket"],
            desired=data["desired"],
            targets=data["targets"],
        )

    def _targets(self, chosen: Sequence[str], desired: Route) -> Iterator[Wanted]:
        for value in chosen:
            wanted = self._wanted(value, desired)
            if isinstance(wanted, str):
                self.add_error("route", f"{self._labels[value]}: {wanted}")
            else:
                yield wanted


class EndForm(ProposalForm):
    """The end of a split: where, and why."""


class SplitForm(ProposalForm):
    """A new split of one route: a field per backend of each rule that has at least two. Cleaned: `desired` too."""

    def __init__(self, data: QueryDict | None = None, *, draft: Draft, **kwargs: Any) -> None:
        super().__init__(data, draft=draft, **kwargs)
        for name, label in self._weight_fields():
            self.fields[name] = PercentField(label=label)

    def desired(self, data: Mapping[str, Any]) -> Route | None:
        """The rules of the draft with the shares of the fields. Sums are checked as the verb checks them."""
        if not all(name in data for name, _ in self._weight_fields()):
            return None
        desired = self._shared(data)
        for check in (check_sum, check_not_all_zero):
            for finding in check(desired):
                self.add_error(None, f"{finding.where}: {finding.message}")
        return desired

    def rules(self) -> list[RuleFields]:
        """The rules, in order; one without a choice has no rows and stays as it is."""
        return [self._rule(index, rule) for index, rule in enumerate(self.draft.route.rules)]

    def moves(self) -> str:
        """What moves, in one line: `v1 90 % → 75 %, v2 10 % → 25 %`; empty: nothing."""
        rows = [row for rule in self.rules() for row in rule.rows if row.shown_bp != row.live_bp]
        return ", ".join(
            f"{row.name} {NONE if row.is_new else percent(row.live_bp)} → {percent(row.shown_bp)}" for row in rows
        )

    @property
    def can_split(self) -> bool:
        """Whether any rule has a choice."""
        return bool(self._splittable())

    def _rule(self, index: int, rule: Rule) -> RuleFields:
        rows = list(self._rows(index, rule)) if len(rule.backends) > 1 else []
        total = sum(row.shown_bp for row in rows)
        known = {found.name for found in self.draft.live.rules} if self.draft.live else set()
        return RuleFields(
            name=rule.name,
            index=index,
            matches=tuple(match.words for match in rule.matches if match.words),
            prefix=prefix(index),
            rows=rows,
            only=", ".join(item.backend.name for item in rule.backends),
            keys=tuple(item.backend.key for item in rule.backends),
            header=edits.header_of(rule),
            is_for_chosen=edits.is_for_chosen(rule),
            is_new=rule.name not in known,
            sum_words=_sum_words(rows, total),
            is_whole=total == FULL,
        )

    def _splittable(self) -> list[tuple[int, Rule]]:
        return [(index, rule) for index, rule in enumerate(self.draft.route.rules) if len(rule.backends) > 1]

    def _weight_fields(self) -> Iterator[tuple[str, str]]:
        for index, rule in self._splittable():
            for number, item in enumerate(rule.backends):
                label = gettext("Share of %(name)s in %(rule)s") % {"name": item.backend.name, "rule": rule.name}
                yield f"{prefix(index)}weight-{number}", label

    def _rows(self, index: int, rule: Rule) -> Iterator[SplitRow]:
        before = self._live_shares(rule.name)
        for number, item in enumerate(rule.backends):
            name, key = f"{prefix(index)}weight-{number}", item.backend.key
            first = self.draft.texts.get((rule.name, key), percent_text(item.weight_bp))
            labels = ", ".join(f"{label}={value}" for label, value in item.backend.labels)
            yield SplitRow(
                name=item.backend.name,
                live_bp=before.get(key, 0),
                text=str(self.data.get(name, "")) if self.is_bound else first,
                note=labels or key,
                error=" ".join(map(str, self.errors.get(name, []))) if self.is_bound else "",
                is_new=key not in before,
                new_words="" if self.draft.live else gettext("shared as it comes until now"),
                remove=f"remove:{index}:{number}",
            )

    def _live_shares(self, name: str) -> dict[str, int]:
        found = [rule for rule in self.draft.live.rules if rule.name == name] if self.draft.live else []
        return {item.backend.key: item.weight_bp for rule in found for item in rule.backends}

    def _shared(self, data: Mapping[str, Any]) -> Route:
        rules = list(self.draft.route.rules)
        for index, rule in self._splittable():
            shares = [data[f"{prefix(index)}weight-{number}"] for number in range(len(rule.backends))]
            backends = tuple(
                item if item.weight_bp == share else replace(item, weight_bp=share, native_weight=None)
                for item, share in zip(rule.backends, shares, strict=True)
            )
            rules[index] = replace(rule, backends=backends)
        return replace(self.draft.route, rules=tuple(rules))


def prefix(index: int) -> str:
    """What the names of the fields of a rule begin with."""
    return f"r{index}-"


def _sum_words(rows: Sequence[SplitRow], total: int) -> str:
    """The sum of a rule, in a sentence; the script says the same while shares are moved."""
    if not rows:
        return ""
    shares = ", ".join(f"{row.name} {percent(row.shown_bp)}" for row in rows)
    if total == FULL:
        return gettext("%(shares)s: together 100 %%.") % {"shares": shares}
    return gettext("%(shares)s: together %(total)s, and it must be 100 %%.") % {
        "shares": shares,
        "total": percent(total),
    }
