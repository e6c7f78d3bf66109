"""What a run prints at its end, on wide and on narrow terminals."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.cli import summary
from pipelines.cli.tables import lay_out


def printed(monkeypatch, metrics, content, *, width):
    """Return the lines that the summary prints on a terminal of a width."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, no_color=True)
    monkeypatch.setattr(summary, "result_console", lambda: console)
    summary.print_summary(metrics, content, Path("runs/none"))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_longer_than_the_terminal_and_no_figure_is_lost(tree, read, monkeypatch, width):
    metrics, content = read(tree)
    lines = printed(monkeypatch, metrics, content, width=width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    for variant in tree["variants"]:
        assert variant["name"] in words
        assert f"{variant['macs']:,}" in words or f"{variant['macs'] / 1e6:.2f}" in words
        assert not any("…" in line for line in lines)


def test_a_table_that_fits_is_read_across_and_one_that_does_not_downwards():
    headings, rows = ("variant", "latency, us", ".tflite, B"), [("w100", "1,234", "102,400")]

    def lines(width):
        file = io.StringIO()
        console = Console(file=file, width=width)
        console.print(lay_out(console, headings, rows))
        return [line.split() for line in file.getvalue().splitlines()]

    assert lines(60) == [
        ["variant", "latency,", "us", ".tflite,", "B"],
        ["w100", "1,234", "102,400"],
    ]
    assert lines(25) == [["w100"], ["latency,", "us", "1,234"], [".tflite,", "B", "102,400"]]


def test_key_figures_end_where_their_text_ends(tree, read, monkeypatch):
    metrics, content = read(tree)
    lines = printed(monkeypatch, metrics, content, width=10_000)
    assert max(map(len, lines)) < 200
    assert any(content.key_figures[0].caption in line for line in lines)
