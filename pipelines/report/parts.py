"""What a run's metrics hold beside the variants of an elastic network, part by part."""

from collections.abc import Mapping
from typing import Any

from pipelines.report import blocks, complexity, methods
from pipelines.report.prose import Part


def parts(metrics: Mapping[str, Any]) -> list[Part]:
    """Return the parts, in the order in which they are read.

    Args:
        metrics: What `metrics.json` of a finished run holds.
    """
    found = []
    if metrics.get("comparison"):
        lines = tuple(methods.table(metrics))
        found.append(Part("Ways to train the widths", lines, lambda: methods.figure(metrics)))
    if "blocks" in metrics:
        found += blocks.parts(metrics)
    if "complexity" in metrics:
        found += complexity.parts(metrics)
    return found


def lead(metrics: Mapping[str, Any]) -> str:
    """Return what a run that prunes is about, in half a sentence."""
    return blocks.lead(metrics) if "blocks" in metrics else complexity.lead(metrics)


def tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the figures to see first of a run that prunes, each with its caption."""
    return blocks.tiles(metrics) if "blocks" in metrics else complexity.tiles(metrics)
