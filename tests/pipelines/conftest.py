import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.experiments import content_of, experiment
from pipelines.experiments.elastic.mask_examples import Pixels
from pipelines.report import Content, Metrics
from tests.support.run_metrics import METRICS


@pytest.fixture
def tree() -> dict[str, Any]:
    """A run's metrics as plain data, to be changed by a test."""
    return copy.deepcopy(METRICS)


def _choosers(*misses: float) -> list[dict[str, Any]]:
    names = ("policy", "kalman", "knowing slowdown", "oracle", "w100", "w050")
    return [
        {"name": name, "misses": miss, "mean_score": 0.98, "switches": 3}
        for name, miss in zip(names, misses, strict=True)
    ]


def _pixels(shape: tuple[int, ...], value: int) -> dict[str, Any]:
    return Pixels.of(np.full(shape, value, np.uint8)).to_json()


@pytest.fixture(scope="session")
def full_tree() -> dict[str, Any]:
    """A run's metrics with all that a report may show; a test that changes it copies it."""
    tree = copy.deepcopy(METRICS)
    tree["layers"] = {
        "rungs": ["w100", "w050"],
        "layers": [
            {
                "path": f"block_{number}/conv",
                "kind": "Conv2D",
                "channels": [16, 8],
                "params": [2320, 584 if number else 0],
                "macs": [589_824, 147_456 if number else 0],
            }
            for number in range(4)
        ],
        "blocks": ["block_0", "block_1"],
        "removed": {"w100": [], "w050": ["block_0"]},
    }
    tree["simulation"] = {
        "budget_us": 290,
        "runs": 1000,
        "traces": [
            {"trace": name, "kept": 0.99, "choosers": _choosers(0.0, 0.01, 0.02, 0.0, 0.4, 0.01)}
            for name in ("idle", "bursts")
        ],
    }
    predicted = {"w100": _pixels((12, 12), 1), "w050": _pixels((12, 12), 2)}
    tree["masks"] = {
        "classes": ["none", "disc", "square"],
        "examples": [
            {
                "image": _pixels((12, 12, channels), 90),
                "truth": _pixels((12, 12), 1),
                "predicted": predicted,
            }
            for channels in (3, 1)
        ],
    }
    for variant in tree["variants"]:
        variant |= {"peak_bytes": 32_768, "arena_bytes": None}
    tree["data_sha256"] = "cd" * 32
    return tree


@pytest.fixture(scope="session")
def read() -> Callable[[dict[str, Any]], tuple[Metrics, Content]]:
    """Gives metrics, and what the report says of them, for plain data."""

    def read(tree: dict[str, Any]) -> tuple[Metrics, Content]:
        metrics = experiment(tree["experiment"]).metrics.from_json(tree)
        return metrics, content_of(metrics)

    return read
