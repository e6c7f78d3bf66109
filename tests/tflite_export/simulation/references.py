"""What the policy is held against: each figure as the mean over a case's simulations."""

from collections.abc import Sequence

import numpy as np

from tflite_export.simulation import SimulationReport
from tflite_export.simulation.choosers import kalman

MARGINS = (0.0, 0.64, 2.5, 4.0)
"""Standard deviations, beside those of the filter that every report has."""


def mean(reports: Sequence[SimulationReport], chooser: str, figure: str) -> float:
    """Return the mean of a figure of one chooser."""
    return float(np.mean([getattr(report[chooser], figure) for report in reports]))


def loads(reports: Sequence[SimulationReport]) -> float:
    """Return the loads that begin, and one for the first, as a share of the runs that the oracle keeps."""
    return float(
        np.mean(
            [
                ((np.diff(report.slowdown) > 0.1).sum() + 1) / (report.kept * len(report.slowdown))
                for report in reports
            ]
        )
    )


def filters_ahead(reports: Sequence[SimulationReport]) -> list[float]:
    """Return the margins with which ALERT's filter has no more misses and no less score than the policy."""
    mine = (mean(reports, "policy", "misses"), mean(reports, "policy", "mean_score"))
    found = {1.28: (mean(reports, "kalman", "misses"), mean(reports, "kalman", "mean_score"))}
    for margin in MARGINS:
        each = [_filtered(report, margin) for report in reports]
        found[margin] = (float(np.mean([a for a, _ in each])), float(np.mean([b for _, b in each])))
    return [
        margin
        for margin, (misses, score) in found.items()
        if misses <= mine[0] and score >= mine[1] and (misses, score) != mine
    ]


def _filtered(report: SimulationReport, margin: float) -> tuple[float, float]:
    """Return the filter's misses and mean score; switching takes no time."""
    latencies_us = np.stack([report[each.name].latencies_us for each in report.table], 1)
    rows = [each.row for each in report.table]
    chosen = kalman(rows, latencies_us, report.budget_us, deviations=margin)
    keeps = report["oracle"].latencies_us <= report.budget_us
    over = latencies_us[np.arange(len(chosen)), chosen] > report.budget_us
    scores = np.array([each.score for each in report.table])
    return float((over & keeps).sum() / max(keeps.sum(), 1)), float(scores[chosen].mean())
