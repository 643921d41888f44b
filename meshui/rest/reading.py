"""What a request may hold: JSON alone, as text that every database can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import exceptions, negotiation, parsers

from meshui.ui.needs import is_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request


class BadQueryError(exceptions.ValidationError):
    """A parameter of the URL cannot be read."""

    status_code = 400


class JsonAlone(negotiation.BaseContentNegotiation):
    """Answers JSON whatever was accepted: there is nothing else to choose from."""

    def select_parser(self, request: Request, parsers: Iterable[parsers.BaseParser]) -> Any:
        """The parser of the body's type; None: 415."""
        return negotiation.DefaultContentNegotiation().select_parser(request, list(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The only one."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class JSONParser(parsers.JSONParser):
    """JSON; nested too deep is unreadable, like any other that cannot be parsed."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """The body."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError("JSON parse error - nested too deep") from error


def require_query(params: Mapping[str, Sequence[str]], known: Collection[str]) -> None:
    """Raise BadQueryError for a parameter that is not one of `known`, or that is no text: nothing is guessed."""
    wrong = {name: ["There is no such parameter here."] for name in params if name not in known}
    wrong |= {
        name: ["This is no text."] for name, values in params.items() if name in known and not all(map(is_text, values))
    }
    if wrong:
        raise BadQueryError(wrong)
