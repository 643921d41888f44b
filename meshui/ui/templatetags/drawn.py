"""Parts of a list that are drawn once for the same values: `{% load drawn %}`."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django import template
from django.template.base import Node, token_kwargs
from django.template.context import Context
from django.template.defaulttags import NowNode
from django.template.exceptions import TemplateSyntaxError
from django.template.library import InclusionNode, SimpleNode
from django.template.loader_tags import IncludeNode
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import get_language

if TYPE_CHECKING:
    from django.template.base import FilterExpression, NodeList, Parser, Token

register = template.Library()
MOST: Final = 2_000
"""Drawn parts that one place of a template keeps, in one process."""
SCALARS: Final = frozenset({str, SafeString, int, float, bool, type(None)})
TELL_TIME: Final = frozenset({"ago"})


class DrawnOnceNode(Node):
    """What stands inside sees its values and nothing else, and they are the key: no reader is shown another's.

    The key holds language and zone too. A value that is not plain is a TypeError: a model is equal to itself by its
    primary key, whatever it says.
    """

    child_nodelists = ("nodelist",)

    def __init__(self, nodelist: NodeList, values: dict[str, FilterExpression]) -> None:
        self.nodelist, self._values = nodelist, values
        self._kept: dict[tuple[Any, ...], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """As it was drawn before for these values, else drawn now."""
        values = {name: expression.resolve(context) for name, expression in self._values.items()}
        place = (get_language(), timezone.get_current_timezone_name(), context.autoescape)
        key = (place, *map(_plain, values.values()))
        known = self._kept.get(key)
        if known is None:
            known = self._draw(context, values)
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = known
        return known

    def _draw(self, context: Context, values: dict[str, Any]) -> SafeString:
        alone = Context(values, autoescape=context.autoescape)
        with alone.bind_template(context.template):  # type: ignore[arg-type]  # set while a template is drawn
            return self.nodelist.render(alone)


@register.tag
def drawn_once(parser: Parser, token: Token) -> DrawnOnceNode:
    """`{% drawn_once name=row.name count=row.count %}…{% enddrawn_once %}`: drawn from these values alone, once.

    What tells the time comes in as words (`{% ago row.read_at as read %}`), and nothing is included, or asks for the
    page around it: TemplateSyntaxError.
    """
    values = token_kwargs(token.split_contents()[1:], parser)
    nodelist = parser.parse(("enddrawn_once",))
    parser.delete_first_token()
    for node in nodelist.get_nodes_by_type(Node):
        if _is_more_than_values(node):
            raise TemplateSyntaxError(f"{node.token} depends on more than the values of drawn_once")
    return DrawnOnceNode(nodelist, values)


def _is_more_than_values(node: Node) -> bool:
    if isinstance(node, SimpleNode):
        return bool(node.takes_context) or node.func.__name__ in TELL_TIME
    return isinstance(node, IncludeNode | InclusionNode | NowNode)


def _plain(value: Any) -> Any:
    """`value` with its type and those of what it holds: 1 is not True, and safe text is not text."""
    kind = type(value)
    if kind in SCALARS:
        return kind, value
    if kind is tuple:
        return kind, *map(_plain, value)
    if isinstance(value, Promise):
        return kind, str(value)
    if isinstance(value, Enum):
        return kind, value.name
    if is_dataclass(kind):
        return kind, *[_plain(getattr(value, name)) for name in _names(kind)]
    raise TypeError(f"drawn_once takes plain values, not {kind.__name__}")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
