"""The end of a run on the terminal: its key figures, its tables and the paths."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid

from pipelines.cli.tables import lay_out, result_console
from pipelines.report import Content, Items, Metrics, Table
from pipelines.report.text import read

_FILES = ("model.elastic", "pruned.keras", "report.html", "metrics.json")


def print_summary(metrics: Metrics, content: Content, folder: Path) -> None:
    """Print what a finished run reached, in lines no longer than the terminal's but for paths."""
    console = result_console()
    console.print(f"\n[bold]{escape(metrics.data.name)}[/]")
    figures = Grid.grid(padding=(0, 2))
    figures.add_column(justify="right", no_wrap=True)
    for each in content.key_figures:
        figures.add_row(escape(each.value), escape(each.caption))
    console.print(Padding(figures, (0, 0, 0, 2), expand=False))
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
        if isinstance(each, Table):
            console.print(lay_out(console, each.headings, each.rows))
        elif isinstance(each, Items):
            for text in each.texts:
                console.print(escape(f"- {text}"))
