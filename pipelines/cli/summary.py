"""The end of a run on the terminal: its key figures, its tables and the paths."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.report import Content, Items, Metrics
from pipelines.report import Table as TextTable
from pipelines.report.text import read

_LEAST_WIDTH = 100
#: Figures are for reading across: a narrow terminal wraps lines, but nothing is cut off.
_TABLE_WIDTH = 200
_FILES = ("model.elastic", "pruned.keras", "report.html", "metrics.json")


def print_summary(metrics: Metrics, content: Content, folder: Path) -> None:
    """Print what a finished run reached."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_LEAST_WIDTH)
    console.print(f"\n[bold]{escape(metrics.data.name)}[/]", soft_wrap=True)
    for each in content.key_figures:
        console.print(escape(f"{each.value:>10}  {each.caption}"), soft_wrap=True)
    for section in content.sections:
        if section.lines:
            console.print(f"\n[bold]{escape(section.title)}[/]")
            _print_lines(console, section.lines)
    console.print()
    for name in _FILES:
        if (folder / name).exists():
            console.print(escape(str(folder / name)), soft_wrap=True)


def _print_lines(console: Console, lines: tuple[str, ...]) -> None:
    """Print a section's tables and lists; the page has the explanations too."""
    for each in read(lines):
        if isinstance(each, TextTable):
            width = max(console.width, _TABLE_WIDTH)
            Console(highlight=False, soft_wrap=True, width=width).print(_table(each))
        elif isinstance(each, Items):
            for text in each.texts:
                console.print(escape(f"- {text}"))


def _table(text: TextTable) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
    for index, heading in enumerate(text.headings):
        table.add_column(heading, justify="left" if index == 0 else "right", no_wrap=True)
    for row in text.rows:
        table.add_row(*map(escape, row))
    return table
