import copy
from typing import Any

import pytest

from pipelines.config import Recipe


def _variant(name: str, width: float, accuracy: float, p50: int) -> dict[str, Any]:
    return {
        "name": name,
        "width": width,
        "params": int(78042 * width**2),
        "macs": int(12_451_840 * width**2),
        "tflite_bytes": int(102_400 * width),
        "accuracy_keras": accuracy,
        "accuracy_tflite": accuracy - 0.001,
        "top1_agreement": 0.99,
        "latency_us": {"p50": p50, "p90": p50 + 20},
    }


_METRICS: dict[str, Any] = {
    "name": "tiny",
    "command": "tfelastic run tiny.yaml --set 'data.source=<mine> & yours'",
    "seed": 7,
    "fingerprint": "ab" * 32,
    "data": {
        "name": "Digits <b>bold</b>",
        "train": 898,
        "test": 899,
        "image_shape": [32, 32, 1],
        "classes": list("0123456789"),
    },
    "baseline": {
        "accuracy": 0.9878,
        "params": 78042,
        "macs": 12_451_840,
        "history": [{"epoch": e, "seconds": 1.0, "loss": 1 / e, "accuracy": 0.9} for e in (1, 2)],
    },
    "elastic": {"history": [{"epoch": 1, "seconds": 1.0, "loss": 2.0, "accuracy": 0.9}]},
    "variants": [_variant("w100", 1.0, 0.987, 400), _variant("w050", 0.5, 0.975, 160)],
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
            "accuracy": 0.9744,
        }
    ],
    "seconds": {"data": 0.4, "baseline": 61.0, "elastic": 125.0},
    "versions": {"python": "3.11.7", "tfelastic": "0.1.0"},
    "recipe": Recipe("tiny", seed=7).to_json(),
}


@pytest.fixture
def metrics() -> dict[str, Any]:
    return copy.deepcopy(_METRICS)
