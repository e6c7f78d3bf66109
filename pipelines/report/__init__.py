"""The report of a run: one self-contained page, Markdown and the terminal's tables, from its metrics alone."""

from pipelines.report.comparison import RunComparison, compare_runs
from pipelines.report.content import Content, KeyFigure, NetSummary, Section
from pipelines.report.metrics import Machine, Metrics
from pipelines.report.page import PAGE, render
from pipelines.report.text import Items, Table

__all__ = [
    "PAGE",
    "Content",
    "Items",
    "KeyFigure",
    "Machine",
    "Metrics",
    "NetSummary",
    "RunComparison",
    "Section",
    "Table",
    "compare_runs",
    "render",
]
