"""The diff viewer: two texts of YAML as rows with line numbers, word marks and folds. Escapes each piece it writes.

difflib compares, Pygments finds the tokens, CSS classes colour them (inline styles would break the CSP). Results are
kept by content. Over MAX_LINES a text is shown plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Final, Literal

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from pygments.lexers.data import YamlLexer

from meshui.ui.wording import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.utils.safestring import SafeString
    from pygments.token import _TokenType

MAX_LINES: Final = 5_000
CONTEXT: Final = 4  # unchanged lines kept around a change
MIN_FOLD: Final = 8  # fewer are not worth folding
NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([a-zA-Z]{1,2})?")
WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")
# The lexer's tokens are told apart by name: their types cannot be checked.
CLASSES: Final = {
    "Token.Name.Tag": "nt",
    "Token.Comment": "c",
    "Token.Literal.String": "s",
    "Token.Literal.Scalar": "s",
}
Kind = Literal["same", "add", "del"]
Mode = Literal["unified", "split"]
Piece = tuple[str, str]  # CSS class, text


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one side. `marks` are the ranges of characters that differ from its partner."""

    kind: Kind
    old: int | None
    new: int | None
    pieces: tuple[Piece, ...]
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Block:
    """Rows that stand together: (left, right) pairs; a folded block is unchanged and hidden until opened."""

    rows: list[tuple[Line | None, Line | None]] = field(default_factory=list)
    is_folded: bool = False


def highlighted(text: str) -> list[tuple[Piece, ...]]:
    """The lines of `text`, each in pieces with the class of its colour."""
    lines: list[list[Piece]] = [[]]
    for token, value in YamlLexer(stripnl=False, ensurenl=False).get_tokens(text):
        css = _css_of(token, value)
        first, *rest = value.split("\n")
        lines[-1].append((css, first))
        lines.extend([(css, part)] for part in rest)
    if not lines[-1] or lines[-1] == [("", "")]:
        lines.pop()
    return [tuple(piece for piece in line if piece[1]) for line in lines]


def _css_of(token: _TokenType, value: str) -> str:
    name = str(token)
    if name.startswith("Token.Literal.Scalar.Plain"):
        word = value.strip()
        return "k" if word in {"true", "false", "null"} else "m" if NUMBER.fullmatch(word) else ""
    return next((css for prefix, css in CLASSES.items() if name.startswith(prefix)), "")


@lru_cache(maxsize=128)
def diff_blocks(before: str, after: str) -> tuple[Block, ...]:
    """What changed from `before` to `after`, in order, long unchanged runs folded."""
    old, new = before.splitlines(), after.splitlines()
    old_pieces, new_pieces = _pieces(before, old), _pieces(after, new)
    blocks = [Block()]
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs = [(i, b1 + i - a1) for i in range(a1, a2)]
            same = [_same(i, j, new_pieces[j]) for i, j in pairs]
            blocks = _add_same(blocks, same, is_first=a1 == 0, is_last=a2 == len(old) and b2 == len(new))
        else:
            blocks[-1].rows.extend(_changed(range(a1, a2), range(b1, b2), old_pieces, new_pieces))
    return tuple(block for block in blocks if block.rows)


def _pieces(text: str, lines: Sequence[str]) -> list[tuple[Piece, ...]]:
    found = highlighted(text) if len(lines) <= MAX_LINES else []
    # The lexer and splitlines() disagree on exotic line breaks: then the text is shown without colours.
    is_same = len(found) == len(lines) and all(
        "".join(part for _, part in pieces) == line for pieces, line in zip(found, lines, strict=True)
    )
    return found if is_same else [(("", line),) if line else () for line in lines]


def _same(old: int, new: int, pieces: tuple[Piece, ...]) -> tuple[Line, Line]:
    line = Line("same", old + 1, new + 1, pieces)
    return line, line


def _add_same(blocks: list[Block], rows: list[tuple[Line, Line]], *, is_first: bool, is_last: bool) -> list[Block]:
    head = 0 if is_first else CONTEXT
    tail = 0 if is_last else CONTEXT
    if len(rows) - head - tail < MIN_FOLD:
        blocks[-1].rows.extend(rows)
        return blocks
    end = len(rows) - tail
    blocks[-1].rows.extend(rows[:head])
    return [*blocks, Block(list(rows[head:end]), is_folded=True), Block(list(rows[end:]))]


def _changed(
    old: range, new: range, old_pieces: Sequence[tuple[Piece, ...]], new_pieces: Sequence[tuple[Piece, ...]]
) -> Iterator[tuple[Line | None, Line | None]]:
    for i, j in zip_longest(old, new):
        left = None if i is None else old_pieces[i]
        right = None if j is None else new_pieces[j]
        gone, come = _marks(left, right)
        yield (
            None if left is None else Line("del", i + 1, None, left, gone),
            None if right is None else Line("add", None, j + 1, right, come),
        )


def _marks(left: tuple[Piece, ...] | None, right: tuple[Piece, ...] | None) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The ranges of characters that differ in two lines that stand beside each other; none if little is alike."""
    if left is None or right is None:
        return (), ()
    a, b = (WORD.findall("".join(part for _, part in side)) for side in (left, right))
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < 0.4:
        return (), ()
    gone, come = [], []
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        if tag != "equal":
            gone.append((len("".join(a[:a1])), len("".join(a[:a2]))))
            come.append((len("".join(b[:b1])), len("".join(b[:b2]))))
    return tuple(gone), tuple(come)


def is_too_long(*texts: str) -> bool:
    """Whether one of them has more lines than are compared: comparing takes time and memory that nobody bounds."""
    return any(text.count("\n") > MAX_LINES for text in texts)


def counts(before: str, after: str) -> tuple[int, int]:
    """How many lines came and how many went."""
    rows = [row for block in diff_blocks(before, after) for row in block.rows]
    lines = [line for left, right in rows if left is not right for line in (left, right) if line]
    return sum(line.kind == "add" for line in lines), sum(line.kind == "del" for line in lines)


def _cut(line: Line) -> Iterator[tuple[str, str, bool]]:
    """The pieces of a line, cut where a mark begins or ends: (class, text, is marked)."""
    edges = sorted({edge for mark in line.marks for edge in mark})
    position = 0
    for css, text in line.pieces:
        cuts = [0, *(edge - position for edge in edges if position < edge < position + len(text)), len(text)]
        for start, end in pairwise(cuts):
            at = position + start
            yield css, text[start:end], any(first <= at < last for first, last in line.marks)
        position += len(text)


def _piece(css: str, text: str, *, is_marked: bool) -> SafeString:
    shown = format_html('<span class="{}">{}</span>', css, visible(text)) if css else format_html("{}", visible(text))
    return format_html("<mark>{}</mark>", shown) if is_marked else shown


def _text(line: Line) -> SafeString:
    return format_html_join("", "{}", ((_piece(css, text, is_marked=marked),) for css, text, marked in _cut(line)))


def _unified_rows(rows: Sequence[tuple[Line | None, Line | None]]) -> Iterator[Line]:
    """Removed lines before added ones, run by run."""
    added: list[Line] = []
    for left, right in rows:
        if left is right and left is not None:
            yield from added
            added = []
            yield left
            continue
        if left is not None:
            yield left
        if right is not None:
            added.append(right)
    yield from added


SIGNS: Final = {"same": "", "add": "+", "del": "\u2212"}
ROW: Final = '<tr class="{}"><td class="ln">{}</td><td class="ln">{}</td><td class="sg">{}</td><td>{}</td></tr>'
SIDE: Final = '<td class="ln {0}">{1}</td><td class="sg {0}">{2}</td><td class="{0}">{3}</td>'


def _unified(rows: Sequence[tuple[Line | None, Line | None]]) -> SafeString:
    lines = _unified_rows(rows)
    return format_html_join("", ROW, ((x.kind, x.old or "", x.new or "", SIGNS[x.kind], _text(x)) for x in lines))


def _side(line: Line | None, number: int | None) -> SafeString:
    if line is None:
        return format_html(SIDE, "void", "", "", "")
    return format_html(SIDE, line.kind, number or "", SIGNS[line.kind], _text(line))


def _split(rows: Sequence[tuple[Line | None, Line | None]]) -> SafeString:
    pairs = ((_side(a, a.old if a else None), _side(b, b.new if b else None)) for a, b in rows)
    return format_html_join("", "<tr>{}{}</tr>", pairs)


def render_diff(before: str, after: str, mode: Mode = "unified", caption: str = "") -> SafeString:
    """The table of a diff, each piece escaped and made visible; a text that is too long is shown plain."""
    if is_too_long(before, after):
        return _plain(before, after)
    draw, width = (_split, 6) if mode == "split" else (_unified, 4)
    bodies = []
    for block in diff_blocks(before, after):
        if block.is_folded:
            count = len(block.rows)
            said = ngettext("Show %(n)s unchanged line", "Show %(n)s unchanged lines", count) % {"n": count}
            bodies.append(format_html(FOLD, width, said, draw(block.rows)))
        else:
            bodies.append(format_html("<tbody>{}</tbody>", draw(block.rows)))
    return format_html(
        '<div class="diff hl" tabindex="0" role="region" aria-label="{0}"><table>'
        '<caption class="vh">{0}</caption>{1}</table></div>',
        caption or gettext("Changes"),
        format_html_join("", "{}", ((body,) for body in bodies)),
    )


def _plain(before: str, after: str) -> SafeString:
    """The later text, as it is."""
    said = gettext("It has more than %(n)s lines, too long to compare here. What it would be, as plain text:")
    if not after:
        said = gettext("It has more than %(n)s lines, too long to compare here. What it is, as plain text:")
    head = said % {"n": f"{MAX_LINES:,}"}
    text = "\n".join(visible(line) for line in (after or before).split("\n"))
    return format_html(PLAIN, head, text)


PLAIN: Final = '<div class="box"><p>{}</p></div><div class="code"><pre tabindex="0">{}</pre></div>'
FOLD: Final = (
    '<tbody class="folded"><tr class="fold"><td colspan="{}"><label><input type="checkbox">{}</label></td></tr>'
    "{}</tbody>"
)


@lru_cache(maxsize=128)
def render_yaml(text: str) -> SafeString:
    """`text` with its colours, each piece escaped and made visible."""
    lines = text.splitlines()
    drawn = (_text(Line("same", None, None, pieces)) for pieces in _pieces(text, lines))
    return format_html_join("\n", "{}", ((line,) for line in drawn))
