"""The Markdown that results are written in: paragraphs, items and tables; read back for the page and the terminal."""

import html
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of cells that are text already."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> list[str]:
        """Return the lines, the first column to the left and all others to the right."""
        lines = [self.headings, ("---", *("---:" for _ in self.headings[1:])), *self.rows]
        return [f"| {' | '.join(cells)} |" for cells in lines]


@dataclass(frozen=True)
class Items:
    """A list."""

    texts: tuple[str, ...]


def read(lines: Iterable[str]) -> Iterator[str | Items | Table]:
    """Yield the paragraphs, lists and tables of some Markdown; blank lines separate them.

    Examples:
        >>> list(read(["One", "two.", "", "- a", "- b", "", "| x | y |", "| --- | ---: |", "| 1 | 2 |"]))
        ['One two.', Items(texts=('a', 'b')), Table(headings=('x', 'y'), rows=(('1', '2'),))]
    """
    for kind, found in itertools.groupby(lines, _kind):
        if kind == "|":
            head, _, *rows = (_cells(line) for line in found)
            yield Table(head, tuple(rows))
        elif kind == "-":
            yield Items(tuple(line[2:] for line in found))
        elif kind:
            yield " ".join(found)


def to_html(lines: Iterable[str]) -> str:
    """Return the same as HTML, with all that a cell holds escaped."""
    return "\n".join(_html(each) for each in read(lines))


def _kind(line: str) -> str:
    if line.startswith("| "):
        return "|"
    if line.startswith("- "):
        return "-"
    return "text" if line else ""


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


def _html(part: str | Items | Table) -> str:
    if isinstance(part, Table):
        body = "\n".join(f"<tr>{_tags('td', row)}</tr>" for row in part.rows)
        head = f"<thead><tr>{_tags('th', part.headings)}</tr></thead>"
        return f'<div class="scroll"><table>{head}\n<tbody>\n{body}\n</tbody></table></div>'
    if isinstance(part, Items):
        return f"<ul>{_tags('li', part.texts)}</ul>"
    return f'<p class="note">{html.escape(part)}</p>'


def _tags(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
