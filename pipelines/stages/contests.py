"""Judge the nets that were trained directly beside the one that was ranked and fine-tuned, budget by budget."""

import importlib.util
import json
import typing
from typing import Any

import numpy as np

from pipelines.report.pairs import Pair
from pipelines.stages import baseline, plans, train_pruned
from pipelines.stages.base import Outcome, Run, Stage
from pipelines.stages.fine_tuned import RANKED
from pipelines.stages.judging import judge

if typing.TYPE_CHECKING:
    import keras


def run(run: Run) -> Outcome:
    """Judge every net, then let their files take turns on this machine."""
    from tflite_export import measure_files

    spec, profile = plans.spec_of(run), run.recipe.profile
    rows, hits, files = {}, {}, {}
    names = ["whole", *(plans.name_of(c, way) for c in spec.contests for way in (*c.modes, RANKED))]
    with run.reporter.bar(len(names), "nets") as advance:
        for name in names:
            rows[name], hits[name], files[name] = _judge(run, name)
            advance(len(rows), name)
    latencies = measure_files(files, threads=profile.threads, runs=profile.runs)
    for name, row in rows.items():
        row |= {"latency_us": latencies[name], "against_ranked": None}
    contests = []
    for contest in spec.contests:
        ranked = hits[plans.name_of(contest, RANKED)]
        for mode in contest.modes:
            name = plans.name_of(contest, mode)
            rows[name]["against_ranked"] = Pair.of(hits[name], ranked).to_json()
        ways = [rows[plans.name_of(contest, way)] for way in (*contest.modes, RANKED)]
        contests.append({"budget": contest.budget.given, "rows": ways})
    return Outcome(
        "  ".join(f"{name} {100 * row['accuracy_keras']:.1f} %" for name, row in rows.items()),
        results={"whole": rows["whole"], "contests": contests},
    )


def _judge(run: Run, name: str) -> tuple[dict[str, Any], np.ndarray, bytes]:
    """Return a net's row of the table, its hits and its file."""
    import keras

    file = baseline.FILE if name == "whole" else train_pruned.keras_file(name)
    net = keras.saving.load_model(run.path(file))
    verdict = judge(run, net)
    method = name.rpartition("-")[2]
    row = {
        "method": method,
        **verdict.figures,
        "activation_bytes": _activation_bytes(net),
        "arena_bytes": _arena_bytes(verdict.tflite),
        "seconds": _training_seconds(run, name, method),
        "steps": _steps(run, name),
    }
    return row, verdict.hits, verdict.tflite


def _activation_bytes(net: "keras.Model") -> int:
    import tfelastic as te
    from tfelastic.plan import Selection
    from tfelastic.strategies import shares

    return shares(Selection(te.trace(net)), "memory").total


def _arena_bytes(tflite: bytes) -> int | None:
    """Return the arena that TFLM takes; `None` where it is not installed or cannot run the file."""
    from tflite_export import DeviceError, measure_arena

    if importlib.util.find_spec("tflite_micro") is None:
        return None
    try:
        return measure_arena(tflite).arena_bytes
    except DeviceError:
        return None


def _training_seconds(run: Run, name: str, method: str) -> float:
    """Return how long all trainings took that led to a net."""
    from pipelines.stages.training import seconds_of

    results = run.workspace.results
    whole = seconds_of(results(baseline.STAGE.name)["history"])
    if method == "whole":
        return whole
    if method == RANKED:
        return whole + seconds_of(results("fine_tuned")["history"][name])
    return seconds_of(results(train_pruned.STAGE.name)["history"][name])


def _steps(run: Run, name: str) -> list[dict[str, Any]]:
    ways = json.loads(run.path(plans.FILE).read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = ways[name]["steps"] if name in ways else []
    return found


STAGE = Stage("contests", run, needs=("tensorflow", "ai_edge_litert"))
