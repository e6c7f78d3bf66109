"""A run's metrics as plain data."""

from typing import Any

from pipelines.experiments import parse_recipe


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


#: Of an elastic network of two rungs.
METRICS: dict[str, Any] = {
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
