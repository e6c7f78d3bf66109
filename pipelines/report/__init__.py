"""The report of a run: one self-contained page, drawn from metrics.json alone."""

from pipelines.report.page import PAGE, render, write_report

__all__ = ["PAGE", "render", "write_report"]
