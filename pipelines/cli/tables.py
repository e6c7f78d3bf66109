"""Tables on the terminal: side by side where they fit, else one value below the other."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

#: What does not go to a terminal, a file or a pager, is as wide as its tables.
_UNLIMITED = 10_000


def result_console() -> Console:
    """Return the console for results, standard output."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNLIMITED)


def lay_out(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: int = 1,
) -> RenderableType:
    """Return a table that is read across, or where the console is too narrow for it, a list for each row.

    Nothing is cut off or folded within a column: figures and names are for comparing and copying.

    Args:
        console: Where it will be printed.
        headings: The columns' headings, plain text.
        rows: The rows' cells, plain text.
        left: How many columns stand to the left; the others are figures.
    """
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim", pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(escape(heading), justify="left" if index < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    unlimited = console.options.update_width(_UNLIMITED)
    if Measurement.get(console, unlimited, table).maximum <= console.width:
        return table
    return Group(*(_list(headings, row) for row in rows))


def _list(headings: Sequence[str], row: Sequence[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for heading, cell in zip(headings[1:], row[1:], strict=True):
        if cell:
            grid.add_row(Text(f"  {heading}", style="dim"), Text(cell))
    return Group(Text(row[0], style="bold"), grid)
