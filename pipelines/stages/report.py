"""Gather what all stages found into metrics.json, and draw report.html from it."""

import platform
from importlib import metadata
from typing import Any

from pipelines.report import PAGE, render
from pipelines.stages import searches
from pipelines.stages.base import Outcome, Run, Stage

FILE = "metrics.json"

_PACKAGES = ("tfelastic", "keras", "tensorflow", "ai-edge-litert", "numpy")


def run(run: Run) -> Outcome:
    """Write both files."""
    metrics = collect(run)
    page = render(metrics)
    run.workspace.save_json(FILE, metrics)
    run.workspace.save_text(PAGE, page)
    return Outcome(f"{PAGE}, {FILE}", files=(FILE, PAGE))


def collect(run: Run) -> dict[str, Any]:
    """Return the run's metrics as JSON data."""
    recipe, workspace = run.recipe, run.workspace
    baseline = workspace.results("baseline")
    stages = [stage for stage in workspace.finished_stages if stage != STAGE.name]
    gathered = {"elastic": _elastic, "blocks": _blocks, "complexity": _complexity}
    return {
        "name": recipe.name,
        "command": run.command,
        "seed": recipe.seed,
        "fingerprint": recipe.fingerprint,
        "data": workspace.results("data")["description"],
        "baseline": {key: baseline[key] for key in ("accuracy", "params", "macs", "history")},
        **gathered[recipe.kind](run),
        "seconds": {stage: workspace.seconds(stage) for stage in stages},
        "versions": versions(),
        "recipe": recipe.to_json(),
    }


def _elastic(run: Run) -> dict[str, Any]:
    recipe, workspace = run.recipe, run.workspace
    profile = workspace.results("profile")["profile"]
    return {
        "elastic": {"history": workspace.results("elastic")["history"]},
        "comparison": workspace.results("compare")["rungs"] if recipe.comparison else None,
        "variants": [
            _variant(variant, profile["latencies"][variant["name"]])
            for variant in workspace.results("export")["variants"]
        ],
        "bundle_bytes": workspace.results("bundle")["bytes"],
        "profile": _profile(run, profile["device"]),
        "selector": workspace.results("selector")["selector"],
    }


def _blocks(run: Run) -> dict[str, Any]:
    from tflite_export import describe_host

    workspace = run.workspace
    found = {name: workspace.results(name) for name in searches.NAMES}
    finished = workspace.results("finish")
    return {
        "blocks": {
            "judged_by": searches.spec_of(run).judges,
            "tested_by": found["direct"]["tested_by"],
            "baseline": found["direct"]["baseline"],
            "searches": {
                name: {key: results[key] for key in ("search", "tests", "behind")}
                for name, results in found.items()
            },
            "nets": finished["nets"],
            "depth": workspace.results("depth")["rows"],
        },
        "trainings": {
            "the whole net, trained on": finished["history"]["whole"],
            "the pruned net": finished["history"]["pruned"],
        },
        "profile": _profile(run, describe_host()),
    }


def _complexity(run: Run) -> dict[str, Any]:
    from tflite_export import describe_host

    workspace = run.workspace
    trained = workspace.results("train_pruned")["history"]
    tuned = workspace.results("fine_tuned")["history"]
    judged = workspace.results("contests")
    return {
        "complexity": {
            "whole": judged["whole"],
            "groups": workspace.results("plans")["groups"],
            "contests": judged["contests"],
        },
        "trainings": {**trained, **tuned},
        "profile": _profile(run, describe_host()),
    }


def _profile(run: Run, device: Any) -> dict[str, Any]:
    spec = run.recipe.profile
    return {"device": device, "threads": spec.threads, "runs": spec.runs}


def _variant(exported: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    copied = ("name", "width", "params", "macs", "tflite_bytes")
    verified = ("accuracy_keras", "accuracy_tflite", "top1_agreement")
    return {
        **{key: exported[key] for key in copied},
        **{key: exported["verification"][key] for key in verified},
        "latency_us": {"p50": measured["p50_us"], "p90": measured["p90_us"]},
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of what decides a run's numbers."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


STAGE = Stage("report", run, needs=("jinja2", "matplotlib"))
