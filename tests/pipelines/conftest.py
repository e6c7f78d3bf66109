import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.experiments import content_of, experiment, parse_recipe
from pipelines.experiments.elastic.mask_examples import Pixels
from pipelines.report import Content, Metrics


def _variant(name: str, width: float, accuracy: float, p50: int) -> dict[str, Any]:
    return {
        "name": name,
        "width": width,
        "params": int(78042 * width**2),
        "macs": int(12_451_840 * width**2),
        "tflite_bytes": int(102_400 * width),
        "score_keras": accuracy,
        "score_tflite": accuracy - 0.001,
        "top1_agreement": 0.99,
        "strays": "",
        "p50_us": p50,
        "p90_us": p50 + 20,
    }


_METRICS: dict[str, Any] = {
    "experiment": "elastic",
    "name": "tiny",
    "command": "tfelastic run tiny.yaml --set 'data.source=<mine> & yours'",
    "seed": 7,
    "fingerprint": "ab" * 32,
    "data": {
        "name": "Digits <b>bold</b>",
        "train": 898,
        "test": 899,
        "inputs": {"": {"shape": [32, 32, 1], "dtype": "uint8"}},
        "targets": {"": {"shape": [], "dtype": "int64"}},
        "classes": list("0123456789"),
    },
    "baseline": {
        "score": 0.9878,
        "metric": {"name": "accuracy", "higher_is_better": True},
        "params": 78042,
        "macs": 12_451_840,
        "history": [{"epoch": e, "seconds": 1.0, "loss": 1 / e, "accuracy": 0.9} for e in (1, 2)],
    },
    "trainings": {
        "all widths together": [{"epoch": 1, "seconds": 1.0, "loss": 2.0, "accuracy": 0.9}]
    },
    "comparison": None,
    "variants": [_variant("w100", 1.0, 0.987, 400), _variant("w050", 0.5, 0.975, 160)],
    "left_out": [],
    "redundant": {},
    "outputs": {},
    "bundle_bytes": 154_321,
    "profile": {"device": {"processor": "Some CPU", "system": "Linux"}, "threads": 1, "runs": 200},
    "selector": [
        {
            "budget_us": 290,
            "requests": 899,
            "variant_counts": {"w100": 9, "w050": 890},
            "p50_us": 165.0,
            "p90_us": 181.0,
            "p99_us": 230.0,
            "score": 0.9744,
        }
    ],
    "seconds": {"data": 0.4, "baseline": 61.0, "elastic": 125.0},
    "versions": {"python": "3.11.7", "tfelastic": "0.1.0"},
    "recipe": parse_recipe({"name": "tiny", "seed": 7}).to_json(),
}


@pytest.fixture
def tree() -> dict[str, Any]:
    """A run's metrics as plain data, to be changed by a test."""
    return copy.deepcopy(_METRICS)


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
    tree = copy.deepcopy(_METRICS)
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
